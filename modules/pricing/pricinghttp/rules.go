package pricinghttp

import (
	"context"
	"net/http"

	"cutpoint/modules/pricing"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// RulePath names a rule.
type RulePath struct {
	Code string `path:"code" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" doc:"Chosen by who puts it" example:"standard"`
}

// PriceListInput is a price list as a client writes it. It is active unless it says otherwise, as all rules are.
type PriceListInput struct {
	pricing.PriceListTerms
	Active *bool `json:"active,omitempty" default:"true" doc:"Whether it is valid at all"`
}

// TaxRateInput is a tax rate as a client writes it.
type TaxRateInput struct {
	pricing.TaxTerms
	Active *bool `json:"active,omitempty" default:"true" doc:"Whether it is valid at all"`
}

// ShippingMethodInput is a shipping method as a client writes it.
type ShippingMethodInput struct {
	pricing.ShippingTerms
	Active *bool `json:"active,omitempty" default:"true" doc:"Whether it can be chosen at all"`
}

func unlessNot(active *bool) bool { return active == nil || *active }

func registerRules(a *web.API, s pricing.Service) {
	rules[PriceListInput, pricing.PriceList]{
		path: "/v1/price-lists", one: "price-list", many: "price-lists", what: "a price list",
		summary: "Put a price list: other prices for a time or a group of customers",
		description: "Of several lists with a price for a SKU, that of the highest priority counts, and of these the lowest price. A list " +
			"of lists leaves the entries out.",
		example: map[string]any{"currency": "EUR", "customer_group": "wholesale", "entries": []any{
			map[string]any{"sku": "MUG-1", "amount": 990}, map[string]any{"basis_points_off": 1000}}},
		put: func(ctx context.Context, code string, in PriceListInput, version int64) (pricing.PriceList, error) {
			in.PriceListTerms.Active = unlessNot(in.Active)
			return s.PutPriceList(ctx, pricing.PutPriceListRequest{Code: code, PriceListTerms: in.PriceListTerms, IfVersion: version})
		},
		get: s.PriceList,
		list: func(ctx context.Context, r pricing.RulesRequest) ([]pricing.PriceList, bool, error) {
			page, err := s.PriceLists(ctx, r)
			return page.PriceLists, page.More, err
		},
		rule: func(l pricing.PriceList) pricing.Rule { return l.Rule },
	}.register(a)

	rules[TaxRateInput, pricing.TaxRate]{
		path: "/v1/tax-rates", one: "tax-rate", many: "tax-rates", what: "a tax rate",
		summary: "Put a tax rate, where it is due and on what",
		description: "The most specific rate counts: that of the tax category before a general one, then that of the region, then that of " +
			"the country. It is rounded half up for each line and for shipping. A rate that is included is contained in the prices, any " +
			"other is added to them.",
		example: map[string]any{"country": "DE", "rate_ppm": 190000, "included": true, "applies_to_shipping": true},
		put: func(ctx context.Context, code string, in TaxRateInput, version int64) (pricing.TaxRate, error) {
			in.TaxTerms.Active = unlessNot(in.Active)
			return s.PutTaxRate(ctx, pricing.PutTaxRateRequest{Code: code, TaxTerms: in.TaxTerms, IfVersion: version})
		},
		get: s.TaxRate,
		list: func(ctx context.Context, r pricing.RulesRequest) ([]pricing.TaxRate, bool, error) {
			page, err := s.TaxRates(ctx, r)
			return page.TaxRates, page.More, err
		},
		rule: func(t pricing.TaxRate) pricing.Rule { return t.Rule },
	}.register(a)

	rules[ShippingMethodInput, pricing.ShippingMethod]{
		path: "/v1/shipping-methods", one: "shipping-method", many: "shipping-methods", what: "a shipping method",
		summary: "Put a shipping method and its prices by currency, country and total",
		description: "If the method has prices for a country in the currency of the order, they alone count, else those without a country; " +
			"of them the one with the largest total that the lines reach after their discounts. An amount of 0 is how it is free from a total on.",
		example: map[string]any{"name": "Parcel", "prices": []any{
			map[string]any{"currency": "EUR", "country": "DE", "amount": 490}, map[string]any{"currency": "EUR", "country": "DE", "from_total": 5000, "amount": 0},
			map[string]any{"currency": "EUR", "amount": 1290}}},
		put: func(ctx context.Context, code string, in ShippingMethodInput, version int64) (pricing.ShippingMethod, error) {
			in.ShippingTerms.Active = unlessNot(in.Active)
			return s.PutShippingMethod(ctx, pricing.PutShippingMethodRequest{Code: code, ShippingTerms: in.ShippingTerms, IfVersion: version})
		},
		get: s.ShippingMethod,
		list: func(ctx context.Context, r pricing.RulesRequest) ([]pricing.ShippingMethod, bool, error) {
			page, err := s.ShippingMethods(ctx, r)
			return page.ShippingMethods, page.More, err
		},
		rule: func(m pricing.ShippingMethod) pricing.Rule { return m.Rule },
	}.register(a)
}

// rules are the routes of one kind of rule, which clients write as I and read as T.
type rules[I, T any] struct {
	path, one, many, what, summary, description string
	example                                     any

	put  func(ctx context.Context, code string, in I, version int64) (T, error)
	get  func(context.Context, pricing.RuleRequest) (T, error)
	list func(context.Context, pricing.RulesRequest) ([]T, bool, error)
	rule func(T) pricing.Rule
}

type ruleOutput[T any] struct {
	Status int
	ETag   string `header:"ETag"`
	Body   T
}

func (r rules[I, T]) register(a *web.API) {
	read, write := []string{auth.PricesRead}, []string{auth.PricesWrite}
	web.Handle(a, web.Route{
		Method: http.MethodPut, Path: r.path + "/{code}", ID: "put-" + r.one, Tag: tag, Summary: r.summary, Description: r.description,
		Scopes: write, Statuses: []int{http.StatusCreated}, Example: r.example,
	}, func(ctx context.Context, in *struct {
		RulePath
		web.Matched
		Body I
	}) (*ruleOutput[T], error) {
		version, err := in.IfVersion()
		if err != nil {
			return nil, err
		}
		thing, err := r.put(ctx, in.Code, in.Body, version)
		if err != nil {
			return nil, err
		}
		out := r.output(thing)
		if r.rule(thing).Version == 1 {
			out.Status = http.StatusCreated
		}
		return out, nil
	})
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: r.path + "/{code}", ID: "get-" + r.one, Tag: tag,
		Summary: "Read " + r.what, Scopes: read, Statuses: []int{http.StatusNotModified},
	}, func(ctx context.Context, in *struct {
		RulePath
		web.Conditional
	}) (*ruleOutput[T], error) {
		thing, err := r.get(ctx, pricing.RuleRequest{Code: in.Code})
		if err != nil {
			return nil, err
		}
		out := r.output(thing)
		if in.Unchanged(out.ETag) {
			out.Status = http.StatusNotModified
		}
		return out, nil
	})
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: r.path, ID: "list-" + r.many, Tag: tag, Summary: "List the " + r.many + " by code", Scopes: read,
	}, func(ctx context.Context, in *struct{ web.PageQuery }) (*struct{ Body web.Page[T] }, error) {
		after, err := in.After(r.many)
		if err != nil {
			return nil, err
		}
		data, more, err := r.list(ctx, pricing.RulesRequest{After: after, Limit: in.Limit})
		if err != nil {
			return nil, err
		}
		return &struct{ Body web.Page[T] }{web.NewPage(data, more, func(t T) string { return r.rule(t).Code }, r.many)}, nil
	})
}

func (r rules[I, T]) output(thing T) *ruleOutput[T] {
	return &ruleOutput[T]{http.StatusOK, web.ETag(r.rule(thing).Version), thing}
}
