package stock

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
)

// Transfer implements inventory.Service.
func (s *Stock) Transfer(ctx context.Context, r inventory.TransferRequest) (inventory.Transferred, error) {
	var o objections
	o.unless(r.Quantity > 0 && r.Quantity <= inventory.MaxQuantity, "/quantity", unitsRule)
	o.unless(r.From != r.To, "/to", "must be another location than from")
	o.unless(isText(r.Reason), "/reason", textRule)
	if err := o.err(); err != nil {
		return inventory.Transferred{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Transferred, error) {
		t, replayed, err := once(s, tx, r.Key, func() (inventory.Transferred, string, error) {
			t, err := s.transfer(ctx, tx, r)
			return t, t.Out.Reference, err
		})
		t.Replayed = replayed
		return t, err
	})
}

func (s *Stock) transfer(ctx context.Context, tx *gorm.DB, r inventory.TransferRequest) (t inventory.Transferred, err error) {
	from, err := binOf(tx, r.SKU, r.From, "/from")
	if err != nil {
		return t, err
	}
	to, err := binOf(tx, r.SKU, r.To, "/to")
	if err != nil {
		return t, err
	}
	t.Out = s.movement(ctx, inventory.MovementTransferred, r.SKU, r.From, -r.Quantity)
	t.In = s.movement(ctx, inventory.MovementTransferred, r.SKU, r.To, r.Quantity)
	t.Out.Reason, t.In.Reason = r.Reason, r.Reason
	t.Out.Reference = s.newID("tra")
	t.In.Reference = t.Out.Reference
	moved := shifts{}
	if err := from.move(tx, &t.Out, moved); err != nil {
		return t, err
	}
	if err := to.move(tx, &t.In, moved); err != nil {
		return t, err
	}
	t.From, t.To = from.Level, to.Level
	if err := record(tx, []inventory.Movement{t.Out, t.In}); err != nil {
		return t, err
	}
	return t, s.tell(tx, moved)
}
