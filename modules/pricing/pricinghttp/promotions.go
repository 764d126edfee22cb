package pricinghttp

import (
	"context"
	"net/http"

	"cutpoint/modules/pricing"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// CodePath names a promotion.
type CodePath struct {
	Code string `path:"code" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" doc:"What the customer types" example:"SPRING10"`
}

type promotionOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   pricing.Promotion
}

// promotionTag names what is shown of a promotion: a writer is held to the description, a cache to the uses as well.
func promotionTag(p pricing.Promotion) string { return web.ETag(p.Version, p.Used) }

type promotions struct{ pricing pricing.Service }

// registerPromotions lays the routes of promotions.
func registerPromotions(a *web.API, s pricing.Service) {
	f := promotions{s}
	read, write := []string{auth.PricesRead}, []string{auth.PricesWrite}
	web.Handle(a, web.Route{
		Method: http.MethodPut, Path: "/v1/promotions/{code}", ID: "put-promotion", Tag: tag,
		Summary: "Put a promotion: what a coupon's code gives, or every order",
		Description: "A percentage of the lines, rounded half up to a minor unit, or a fixed amount in each of some currencies, at most " +
			"what the lines cost, each split over the lines in proportion; free shipping; or of every x + y units the cheapest y for less. " +
			"Promotions are applied one after the other, each to what those before it left: the highest priority first, then the " +
			"coupon, then by code. An exclusive one goes with no other.",
		Scopes: write, Statuses: []int{http.StatusCreated},
		Example: map[string]any{"kind": pricing.PromotionPercentage, "basis_points": 1000, "limit": 500, "limit_per_customer": 1},
	}, f.put)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/promotions/{code}", ID: "get-promotion", Tag: tag,
		Summary: "Read a promotion, with the number of its uses", Scopes: read, Statuses: []int{http.StatusNotModified},
	}, f.get)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/promotions", ID: "list-promotions", Tag: tag,
		Summary: "List the promotions by code", Scopes: read,
	}, f.list)
}

// PromotionInput is a promotion as a client writes it. It is active unless it says otherwise.
type PromotionInput struct {
	pricing.Discount
	Active *bool `json:"active,omitempty" default:"true" doc:"Whether it is valid at all"`
}

func (f promotions) put(ctx context.Context, in *struct {
	CodePath
	web.Matched
	Body PromotionInput
}) (*promotionOutput, error) {
	version, err := in.IfVersion()
	if err != nil {
		return nil, err
	}
	discount := in.Body.Discount
	discount.Active = unlessNot(in.Body.Active)
	p, err := f.pricing.PutPromotion(ctx, pricing.PutPromotionRequest{Code: in.Code, Discount: discount, IfVersion: version})
	if err != nil {
		return nil, err
	}
	out := &promotionOutput{http.StatusOK, promotionTag(p), p}
	if p.Version == 1 {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (f promotions) get(ctx context.Context, in *struct {
	CodePath
	web.Conditional
}) (*promotionOutput, error) {
	p, err := f.pricing.Promotion(ctx, pricing.PromotionRequest{Code: in.Code})
	if err != nil {
		return nil, err
	}
	out := &promotionOutput{http.StatusOK, promotionTag(p), p}
	if in.Unchanged(out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

func (f promotions) list(ctx context.Context, in *struct{ web.PageQuery }) (*struct{ Body web.Page[pricing.Promotion] }, error) {
	const list = "promotions"
	after, err := in.After(list)
	if err != nil {
		return nil, err
	}
	page, err := f.pricing.Promotions(ctx, pricing.PromotionsRequest{After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &struct{ Body web.Page[pricing.Promotion] }{web.NewPage(page.Promotions, page.More,
		func(p pricing.Promotion) string { return p.Code }, list)}, nil
}
