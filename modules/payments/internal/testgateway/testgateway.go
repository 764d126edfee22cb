// Package testgateway is a payment provider for demonstrations and tests: no money, but books like a real one's.
//
// It keeps a store of its own, so that what it did survives a crash of whoever asked, and it answers by key: a key that was
// answered once gets the same answer for ever, or what has become of it since. What a charge does is said by its token
// (tokens.go), faults of the line included. Money that moved stands in a ledger; a decline moves none and stands in none. What
// happens later, without being asked, it tells by signed webhooks (events.go).
//
//	charge   pending | requires_action --> succeeded | authorised | declined | cancelled (sealed)
//
// books.go holds its store, which several instances may share: each request is decided once, each webhook claimed by one of them.
package testgateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

// Name is the gateway's name as a provider, Migrations that of the history of its store.
const (
	Name       = "test-gateway"
	Migrations = "testgateway"
)

// Deps are what a gateway needs. All but Deliver are required.
type Deps struct {
	Now     func() time.Time
	NewID   id.Source
	Random  io.Reader // for the secret of its webhooks
	Log     *slog.Logger
	Deliver Deliver // nil: webhooks wait
}

// Deliver sends a webhook to whoever wants to know. The names in header are in lower case.
type Deliver func(ctx context.Context, header map[string]string, body []byte) error

// Gateway implements till.Provider, and payments.TestGateway to look into its books.
type Gateway struct {
	store   *store.Store
	now     func() time.Time
	newID   id.Source
	deliver Deliver
	log     *slog.Logger
	secret  []byte
	tokens  map[string]token
	due     chan struct{} // wakes the worker
}

var (
	_ till.Provider        = (*Gateway)(nil)
	_ payments.TestGateway = (*Gateway)(nil)
)

// Open opens a gateway's books, and makes them if they are not there. Run does what nobody asks for.
func Open(ctx context.Context, books store.Options, d Deps) (*Gateway, error) {
	s, err := store.Open(ctx, books)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		store: s, now: d.Now, newID: d.NewID, deliver: d.Deliver, log: d.Log,
		tokens: map[string]token{}, due: make(chan struct{}, 1),
	}
	for _, t := range tokens() {
		g.tokens[t.name] = t
	}
	g.due <- struct{}{} // before this process there may have been another
	if g.secret, err = secretOf(ctx, s, d.Random); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return g, nil
}

// Close closes the books.
func (g *Gateway) Close() error { return g.store.Close() }

// Name implements till.Provider.
func (g *Gateway) Name() string { return Name }

// Capabilities implements till.Provider. The gateway never forgets a key.
func (g *Gateway) Capabilities() till.Capabilities { return till.Capabilities{} }

// Prepare implements till.Provider. There is nothing to prepare.
func (g *Gateway) Prepare(context.Context, till.Instruction) (till.Result, error) {
	return till.Result{State: till.Pending}, nil
}

// Charge implements till.Provider.
func (g *Gateway) Charge(ctx context.Context, in till.Instruction) (till.Result, error) {
	return g.charge(ctx, payments.OperationCharge, in)
}

// Authorise implements till.Provider.
func (g *Gateway) Authorise(ctx context.Context, in till.Instruction) (till.Result, error) {
	return g.charge(ctx, payments.OperationAuthorise, in)
}

func (g *Gateway) charge(ctx context.Context, kind string, in till.Instruction) (till.Result, error) {
	t := g.token(in.Token)
	if t.line == hangsFirst {
		switch struck, err := g.strike(ctx, in.Key, "hang", 1); {
		case err != nil:
			return till.Result{Cause: err}, nil
		case struck:
			return hang(ctx), nil
		}
	}
	r, fresh, err := g.once(ctx, kind, in, func(tx *gorm.DB, r *request) error {
		r.begin(t, g.newID("ch"))
		return g.announceCharge(tx, r, t)
	})
	switch {
	case fresh && t.webhooks == first:
		g.deliverNow(ctx, in.Key) // it is due for nobody else yet
	case fresh && (t.webhooks != usual || t.async != ""):
		g.wake()
	}
	return g.answer(ctx, t.line, r, fresh, err)
}

// Capture implements till.Provider. It takes what was authorised, in parts if the token allows it, and never more.
func (g *Gateway) Capture(ctx context.Context, in till.Instruction) (till.Result, error) {
	return g.later(ctx, payments.OperationCapture, in, func(p position, t token) payments.Failure {
		switch left := p.authorised - p.voided - p.captured; {
		case p.ended(t, g.now()):
			return payments.Failure{Code: "authorisation_expired", Message: "The authorisation has expired."}
		case !in.Final && t.once:
			return payments.Failure{Code: "multicapture_not_supported", Message: "The card can be captured once only."}
		case p.final, left <= 0:
			return payments.Failure{Code: "nothing_to_capture", Message: "The authorisation was captured or voided before."}
		case p.currency != in.Amount.Currency, left < in.Amount.Amount:
			return payments.Failure{Code: "amount_too_large", Message: "This is more than was authorised."}
		}
		return payments.Failure{}
	})
}

// Void implements till.Provider. It gives free all that is left of what was authorised.
func (g *Gateway) Void(ctx context.Context, in till.Instruction) (till.Result, error) {
	return g.later(ctx, payments.OperationVoid, in, func(p position, _ token) payments.Failure {
		if left := p.left(); left == 0 || left != in.Amount.Amount || p.currency != in.Amount.Currency {
			return payments.Failure{Code: "nothing_to_void", Message: "The authorisation was captured or voided before, or is of another amount."}
		}
		return payments.Failure{}
	})
}

// Refund implements till.Provider. It gives back what was captured, and never more.
func (g *Gateway) Refund(ctx context.Context, in till.Instruction) (till.Result, error) {
	return g.later(ctx, payments.OperationRefund, in, func(p position, t token) payments.Failure {
		if p.currency != in.Amount.Currency || p.captured-p.refunded < in.Amount.Amount {
			return payments.Failure{Code: "amount_too_large", Message: "The charge has less than this left to refund."}
		}
		return t.noRefund
	})
}

// later carries out what follows a charge, unless refused says why not.
func (g *Gateway) later(ctx context.Context, kind string, in till.Instruction, refused func(position, token) payments.Failure) (till.Result, error) {
	var t token
	r, fresh, err := g.once(ctx, kind, in, func(tx *gorm.DB, r *request) error {
		p, name, err := positionOf(tx, in.Charge)
		if err != nil {
			return err
		}
		t = g.token(name)
		r.reference, r.state, r.moved = g.newID(prefixes()[kind]), till.Succeeded, r.asked
		if p.currency == "" {
			r.decline(payments.Failure{Code: "unknown_charge", Message: "There is no such charge."})
		} else if failure := refused(p, t); failure.Code != "" {
			r.decline(failure)
		}
		return nil
	})
	line := good
	switch kind {
	case payments.OperationCapture:
		line = t.capture
	case payments.OperationRefund:
		line = t.refund
	}
	return g.answer(ctx, line, r, fresh, err)
}

// prefixes are those of the references of what follows a charge.
func prefixes() map[string]string {
	return map[string]string{payments.OperationCapture: "cap", payments.OperationVoid: "void", payments.OperationRefund: "re"}
}

// errOtherParameters is a programming fault of the caller.
var errOtherParameters = errors.New("this key was used with other parameters")

// once decides a request (fresh), or finds what became of it. Decision, answer and ledger are one transaction.
func (g *Gateway) once(ctx context.Context, kind string, in till.Instruction, decide func(*gorm.DB, *request) error) (r *request, fresh bool, err error) {
	asked := fingerprint(kind, in)
	err = g.store.Write(ctx, func(tx *gorm.DB) (err error) {
		if r, err = findRequest(tx, "key = ?", in.Key); err != nil {
			return err
		}
		if r != nil {
			if r.fingerprint != asked && r.fingerprint != "" {
				return fmt.Errorf("%s %s: %w", kind, in.Key, errOtherParameters)
			}
			return nil
		}
		fresh = true
		r = &request{
			key: in.Key, fingerprint: asked, kind: kind, final: in.Final, orderID: in.OrderID, token: in.Token, charge: in.Charge, asked: in.Amount,
			at: g.now(), changed: g.now(),
		}
		if err = decide(tx, r); err != nil {
			return err
		}
		if err = r.insert(tx); err != nil {
			return err
		}
		return g.book(tx, r)
	})
	return r, fresh, err
}

// answer sends an answer down the line. A store that fails is a provider that can't be reached: nothing is known.
func (g *Gateway) answer(ctx context.Context, l line, r *request, fresh bool, err error) (till.Result, error) {
	switch {
	case errors.Is(err, errOtherParameters):
		return till.Result{}, err
	case err != nil:
		return till.Result{Cause: fmt.Errorf("%s: %w", Name, err)}, nil
	case fresh && l == hangs:
		return hang(ctx), nil
	case fresh && l == crashes:
		return till.Result{Cause: errors.New("500 Internal Server Error")}, nil
	case fresh && l == breaks:
		return till.Result{Cause: errors.New("connection reset by peer")}, nil
	}
	return g.result(r), nil
}

// hang keeps the caller waiting for as long as it waits.
func hang(ctx context.Context) till.Result {
	<-ctx.Done()
	return till.Result{Cause: ctx.Err()}
}

// fingerprint tells whether a key comes back with the same parameters.
func fingerprint(kind string, in till.Instruction) string {
	text, _ := json.Marshal(struct {
		Kind, Key, OrderID string
		Amount             any
		Token, Charge      string
		Partial            bool `json:",omitempty"`
	}{kind, in.Key, in.OrderID, in.Amount, in.Token, in.Charge, kind == payments.OperationCapture && !in.Final}) // strings and a number always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
