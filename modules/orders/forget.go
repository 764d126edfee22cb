package orders

import "time"

// Forget takes out of an order all that tells of its customer. The figures stay, and what they came from: the country and region by
// which they were taxed, and the customer's group. Orders does it to
// what it keeps, and whoever keeps copies can do it to them when the feed says orders.erased.
func (o *Order) Forget(at time.Time) {
	o.Customer = Customer{Email: ErasedEmail, Group: o.Customer.Group}
	o.Metadata = map[string]string{}
	o.Payment.Action = nil
	if o.Shipping != nil {
		shipping := Shipping{Method: o.Shipping.Method}
		if a := o.Shipping.Address; a != nil {
			shipping.Address = &Address{Country: a.Country, Region: a.Region}
		}
		o.Shipping = &shipping
	}
	o.ErasedAt = &at
}
