// Package auth says who calls: API keys, and what each may do.
//
// A key is a secret of 160 random bits behind a prefix that secret scanners can look for ("cpk_"). It is shown once, when it is
// made; the store keeps its SHA-256 digest. A slow hash would add nothing: nobody guesses 160 random bits.
package auth

import (
	"context"
	"slices"

	"cutpoint/platform/fault"
)

// Faults of a request's credentials.
var (
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", "a valid key is needed: send it as Authorization: Bearer <key>")
	ErrForbidden       = fault.New(fault.Forbidden, "forbidden", "this key may not do that")
)

// The scopes: what a key may do.
const (
	OrdersPlace    = "orders:place"
	OrdersRead     = "orders:read"
	OrdersManage   = "orders:manage"
	StockRead      = "stock:read"
	StockWrite     = "stock:write"
	PricesRead     = "prices:read"
	PricesWrite    = "prices:write"
	PaymentsRead   = "payments:read"
	PaymentsManage = "payments:manage"
	WebhooksManage = "webhooks:manage"
	Ops            = "ops"
)

// Scopes returns every scope.
func Scopes() []string {
	return []string{
		OrdersPlace, OrdersRead, OrdersManage, StockRead, StockWrite, PricesRead, PricesWrite,
		PaymentsRead, PaymentsManage, WebhooksManage, Ops,
	}
}

// Principal is the holder of a valid key.
type Principal struct {
	KeyID  string // "key_...", the actor in ledgers and headers
	Scopes []string
}

// May reports whether the principal has any of the scopes.
func (p Principal) May(scopes ...string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(p.Scopes, s) })
}

type principalKey struct{}

// WithPrincipal returns a context of a request by p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns who made the request of ctx; the zero principal has no scope.
func PrincipalOf(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
