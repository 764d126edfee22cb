package checkout

import (
	"context"

	"cutpoint/modules/inventory"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
)

// The neighbours, as far as the checkout needs them: what stands here is what `cutpoint modules --graph` draws, and a test wants each
// method to be called. The contracts say what they promise.

// Inventory is inventory.Service, as far as it is needed.
type Inventory interface {
	Check(context.Context, inventory.CheckRequest) (inventory.Checked, error)
	Reserve(context.Context, inventory.ReserveRequest) (inventory.Reservation, error)
	Finalise(context.Context, inventory.FinaliseRequest) (inventory.Reservation, error)
	Release(context.Context, inventory.ReleaseRequest) (inventory.Reservation, error)
	Restock(context.Context, inventory.RestockRequest) (inventory.Restocked, error)
}

// Pricing is pricing.Service, as far as it is needed.
type Pricing interface {
	Calculate(context.Context, pricing.CalculateRequest) (pricing.Calculation, error)
	Quote(context.Context, pricing.QuoteRequest) (pricing.Quote, error)
	Price(context.Context, pricing.PriceRequest) (pricing.Calculation, error)
	FinaliseCoupon(context.Context, pricing.FinaliseCouponRequest) (pricing.CouponUse, error)
	ReleaseCoupon(context.Context, pricing.ReleaseCouponRequest) (pricing.CouponUse, error)
	EraseCustomers(context.Context, pricing.EraseCustomersRequest) (pricing.CustomersErased, error)
}

// Payments is payments.Service, as far as it is needed.
type Payments interface {
	Charge(context.Context, payments.ChargeRequest) (payments.Payment, error)
	Capture(context.Context, payments.CaptureRequest) (payments.Payment, error)
	Void(context.Context, payments.VoidRequest) (payments.Payment, error)
	Refund(context.Context, payments.RefundRequest) (payments.Payment, error)
	Seal(context.Context, payments.SealRequest) (payments.Payment, error)
	MarkPaid(context.Context, payments.MarkPaidRequest) (payments.Payment, error)
	Changes(context.Context, payments.ChangesRequest) (payments.ChangePage, error)
	EraseReasons(context.Context, payments.EraseReasonsRequest) (payments.ReasonsErased, error)
}
