package till

import (
	"context"
	"errors"
	"fmt"

	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
)

// ask makes one request to the provider about an operation, if the breaker lets it through. An answer outside the provider's
// obligations is an error.
func (t *Till) ask(ctx context.Context, request string, op *operation, do func(context.Context) (Result, error)) (r Result, err error) {
	if !t.breaker.enter() {
		return Result{State: NotSent, Cause: errOpen}, nil
	}
	answered := false
	defer func() { t.breaker.leave(answered) }() // also after a panic
	if err := t.fail.Hit("provider." + request + ".before"); err != nil {
		return Result{Cause: err}, nil // whoever crashed here would not know either
	}
	if r, err = do(ctx); err == nil {
		err = obliged(request, op, r)
	}
	answered = err != nil || r.State != Unknown && r.State != NotSent
	if failed := t.fail.Hit("provider." + request + ".after"); failed != nil {
		return Result{Cause: failed}, nil
	}
	if err != nil {
		err = fault.ErrInternal.Because(fmt.Errorf("%s of %s %s at %s: %w", request, op.Kind, op.Key, t.provider.Name(), err))
	}
	return r, err
}

// carryOut asks for what an instruction says.
func (t *Till) carryOut(ctx context.Context, in Instruction) (Result, error) {
	switch in.Kind {
	case payments.OperationCharge:
		return t.provider.Charge(ctx, in)
	case payments.OperationAuthorise:
		return t.provider.Authorise(ctx, in)
	case payments.OperationCapture:
		return t.provider.Capture(ctx, in)
	case payments.OperationVoid:
		return t.provider.Void(ctx, in)
	default:
		return t.provider.Refund(ctx, in)
	}
}

func (t *Till) instruct(e *entry, op *operation, token string) Instruction {
	in := Instruction{Kind: op.Kind, Key: op.Key, OrderID: e.OrderID, Amount: op.Amount, Token: token, Reference: op.Reference, Final: op.final}
	if !op.isCharge() {
		in.Charge = e.charge().Reference
		in.Rest = op.Kind == payments.OperationVoid && e.figures(true).captured > 0
	}
	return in
}

// lookUp asks what became of an operation, by reference and then by key. It changes nothing anywhere.
func (t *Till) lookUp(ctx context.Context, e *entry, op *operation) (r Result, err error) {
	in := t.instruct(e, op, "")
	queries := []Query{{Kind: op.Kind, Key: op.Key, Charge: in.Charge}}
	if op.Reference != "" {
		queries = []Query{{Kind: op.Kind, Reference: op.Reference, Key: op.Key, Charge: in.Charge}, queries[0]}
	}
	for _, q := range queries {
		r, err = t.ask(ctx, "lookup", op, func(ctx context.Context) (Result, error) { return t.provider.Lookup(ctx, q) })
		if err != nil || r.State != NotFound || r.Certain {
			break
		}
	}
	if r.State == NotSent { // the question, not the operation
		r.State = Unknown
	}
	return r, err
}

// obliged returns an error for an answer that no provider may give to a request about an operation.
func obliged(request string, op *operation, r Result) error {
	allowed := false
	switch r.State {
	case Unknown, NotSent, Pending:
		allowed = true
	case NotFound:
		allowed = request == "lookup"
	case Succeeded:
		allowed = r.Amount.Amount > 0
	case Authorised:
		allowed = r.Amount.Amount > 0 && op.Kind == payments.OperationAuthorise
	case Declined:
		allowed = r.Failure.Code != ""
	case RequiresAction:
		allowed = op.isCharge() && r.Action.Type != ""
	case Cancelled:
		allowed = op.isCharge()
	}
	if allowed {
		return nil
	}
	return fmt.Errorf("an answer with the state %q, the amount %v and the code %q", r.State, r.Amount, r.Failure.Code)
}

// because makes a cause of none.
func because(cause error) error {
	if cause == nil {
		return errors.New("no cause given")
	}
	return cause
}
