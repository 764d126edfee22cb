package checkout

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

// An order is found by its own columns, each with an index that ends in the id, or by its terms, a table of its own whose key ends in the
// id: "sku=MUG-1", "word=ada". Every list walks one of these from its end, so that a page of the newest costs the same however
// many orders there are, and looks at the other filters as it goes.

// maxWords bounds the terms of a name or an email address, and the words of a query.
const maxWords = 10

// termsOf is what an order can be found by beside its columns.
func termsOf(o *orders.Order) []string {
	terms := personalTerms(o)
	for _, l := range o.Lines {
		terms = append(terms, "sku="+l.SKU)
	}
	if o.Coupon != "" {
		terms = append(terms, "coupon="+o.Coupon)
	}
	return terms
}

// personalTerms are those of them that go when the personal data of the order are erased.
func personalTerms(o *orders.Order) []string {
	terms := metadataTerms(o)
	email := strings.ToLower(o.Customer.Email)
	terms = append(terms, "email="+email)
	if local, _, ok := strings.Cut(email, "@"); ok {
		terms = append(terms, "word="+local)
	}
	if o.Shipping != nil && o.Shipping.Address != nil {
		for _, w := range words(o.Shipping.Address.Name) {
			terms = append(terms, "word="+w)
		}
	}
	return terms
}

func metadataTerms(o *orders.Order) (terms []string) {
	for k, v := range o.Metadata {
		terms = append(terms, "metadata."+k+"="+v)
	}
	return terms
}

// words are the first words of a text, in lower case.
func words(text string) []string {
	list := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return unicode.IsSpace(r) || r == ',' })
	return list[:min(len(list), maxWords)]
}

func addTerms(tx *gorm.DB, orderID string, terms []string) error {
	slices.Sort(terms)
	terms = slices.Compact(terms)
	if len(terms) == 0 {
		return nil
	}
	args := make([]any, 0, 2*len(terms))
	for _, t := range terms {
		args = append(args, t, orderID)
	}
	_, err := store.Exec(tx, "INSERT INTO terms (term, order_id) VALUES "+strings.Repeat(", (?, ?)", len(terms))[2:]+" ON CONFLICT DO NOTHING", args...)
	return err
}

func removeTerms(tx *gorm.DB, orderID string, terms []string) error {
	for _, t := range terms {
		if _, err := store.Exec(tx, "DELETE FROM terms WHERE term = ? AND order_id = ?", t, orderID); err != nil {
			return err
		}
	}
	return nil
}

// Orders implements orders.Service.
func (c *Checkout) Orders(ctx context.Context, req orders.OrdersRequest) (orders.OrderPage, error) {
	s, err := newSearch(req)
	if err != nil {
		return orders.OrderPage{}, err
	}
	limit := pageSize(req.Limit)
	rows, err := c.Store.Read(ctx).Raw(s.query(), append(s.args, limit+1)...).Rows()
	if err != nil {
		return orders.OrderPage{}, err
	}
	defer rows.Close()
	page := orders.OrderPage{Orders: []orders.Order{}}
	for rows.Next() {
		o, err := scanOrder(rows)
		if err != nil {
			return orders.OrderPage{}, err
		}
		page.Orders = append(page.Orders, o)
	}
	if len(page.Orders) > limit {
		page.Orders, page.More = page.Orders[:limit], true
	}
	return page, rows.Err()
}

// search is the query of a list: what it walks, in the order of key, and the conditions that it holds what it meets to.
type search struct {
	from       string
	key        string
	driven     bool // a walk was found; further conditions must not lead the database to another one
	conditions []string
	args       []any
}

func newSearch(req orders.OrdersRequest) (*search, error) {
	prefixes, terms, err := understand(req)
	if err != nil {
		return nil, err
	}
	s := &search{from: "orders o JOIN sagas s ON s.order_id = o.id", key: "o.id", driven: len(req.IDs) > 0}
	s.byTerms(terms)
	s.byState(req)
	s.byCustomer(req.Customer)
	if req.FulfilmentStatus != "" { // a partial index, which the word for word condition opens
		s.by("o.status", "= 'completed' AND "+s.column("o.fulfilment_status")+" = ?", req.FulfilmentStatus)
	}
	if req.Status != "" && req.Status != orders.StatusCompleted { // seldom: before the key, which may have placed every order
		s.by("o.status", "= ?", req.Status)
	}
	if req.PlacedBy != "" {
		s.by("o.placed_by", "= ?", req.PlacedBy)
	}
	if req.Status == orders.StatusCompleted {
		s.by("o.status", "= ?", req.Status)
	}
	s.byTotal(req)
	s.within(req, prefixes)
	return s, nil
}

func (s *search) and(condition string, args ...any) {
	s.conditions = append(s.conditions, condition)
	s.args = append(s.args, args...)
}

// by adds a condition on a column, which is walked by if nothing else is.
func (s *search) by(column, condition string, args ...any) {
	s.and(s.column(column)+" "+condition, args...)
	s.driven = true
}

// column is how a condition names a column: hidden from the planner, which knows no frequencies, once it is clear what is walked.
func (s *search) column(name string) string {
	if s.driven {
		return name + " || ''"
	}
	return name
}

// byTerms walks the first term, and looks the others up.
func (s *search) byTerms(terms []string) {
	for _, term := range terms {
		if s.driven {
			s.and("EXISTS (SELECT 1 FROM terms w WHERE w.term = ? AND w.order_id = o.id)", term)
			continue
		}
		s.from, s.key, s.driven = "terms t CROSS JOIN orders o CROSS JOIN sagas s", "t.order_id", true
		s.and("t.term = ? AND o.id = t.order_id AND s.order_id = o.id", term)
	}
}

// byState finds orders by the step of their checkout. The steps of one status are few orders, but for those to be captured.
func (s *search) byState(req orders.OrdersRequest) {
	switch req.State {
	case "":
		return
	case awaitingCapture:
		if !s.driven {
			s.from, s.key, s.driven = "sagas s CROSS JOIN orders o", "s.order_id", true
			s.and("s.state = 'awaiting_capture' AND o.id = s.order_id")
			return
		}
	case awaitingAction:
		s.by("o.status", "IN ('processing', 'requires_action')")
	default:
		s.by("o.status", "= ?", statusOf(&orders.Order{State: req.State}))
	}
	s.and("s.state || '' = ?", req.State)
}

// byCustomer finds the orders of a customer's id; an email address is a term.
func (s *search) byCustomer(customer string) {
	if customer != "" && !strings.Contains(customer, "@") {
		s.by("o.customer_id", "= ? AND o.customer_id <> ''", customer)
	}
}

// byTotal holds what is walked to a currency and a total. No index would be in the order of the list, so dates must bound the walk.
func (s *search) byTotal(req orders.OrdersRequest) {
	if req.Currency != "" {
		s.and("o.currency = ?", req.Currency)
	}
	if req.TotalMin > 0 {
		s.and("json_extract(o.totals, '$.total.amount') >= ?", req.TotalMin)
	}
	if req.TotalMax > 0 {
		s.and("json_extract(o.totals, '$.total.amount') <= ?", req.TotalMax)
	}
}

// within bounds the walk. Since ids sort by time, the dates bound the ids too, and no index on dates is needed.
func (s *search) within(req orders.OrdersRequest, prefixes []string) {
	for _, p := range prefixes {
		s.and(s.key+" >= ? AND "+s.key+" < ?", p, p+"~") // which sorts after every digit of an id
	}
	if !req.CreatedFrom.IsZero() {
		s.and("o.created_at >= ? AND "+s.key+" >= ?", store.Micros(req.CreatedFrom), id.Floor("ord", req.CreatedFrom.Add(-idSlack)))
	}
	if !req.CreatedTo.IsZero() {
		s.and("o.created_at < ? AND "+s.key+" < ?", store.Micros(req.CreatedTo), id.Floor("ord", req.CreatedTo.Add(idSlack)))
	}
	if len(req.IDs) > 0 {
		s.and("o.id IN ?", req.IDs)
	}
	if req.Before != "" {
		s.and(s.key+" < ?", req.Before)
	}
}

func (s *search) query() string {
	query := "SELECT " + orderColumns + " FROM " + s.from
	if len(s.conditions) > 0 {
		query += " WHERE " + strings.Join(s.conditions, " AND ")
	}
	return query + " ORDER BY " + s.key + " DESC LIMIT ?"
}

// understand reads what is searched for: the beginnings of ids, and terms. It returns what is wrong with the filters.
func understand(req orders.OrdersRequest) (prefixes, terms []string, err error) {
	f := fault.ErrInvalid
	bad := func(pointer, detail string) { f = f.At(pointer, f.Code, detail) }
	if req.Status != "" && !slices.Contains(statuses, req.Status) {
		bad("query/status", "no such status")
	}
	if req.FulfilmentStatus != "" && !slices.Contains(fulfilmentStatuses, req.FulfilmentStatus) {
		bad("query/fulfilment_status", "no such fulfilment status")
	}
	if req.TotalMin > 0 || req.TotalMax > 0 {
		if req.Currency == "" {
			bad("query/currency", "name the currency of the total")
		}
		if req.CreatedFrom.IsZero() {
			bad("query/created_from", "totals are looked for from a time on")
		}
	}
	if len(req.IDs) > maxLimit {
		bad("/ids", "at most 200 ids")
	}
	if strings.Contains(req.Customer, "@") { // first, and walked: a customer has fewer orders than anything else
		terms = append(terms, "email="+strings.ToLower(req.Customer))
	}
	if req.SKU != "" {
		terms = append(terms, "sku="+req.SKU)
	}
	if req.Coupon != "" {
		terms = append(terms, "coupon="+req.Coupon)
	}
	if req.Metadata != "" {
		if !strings.Contains(req.Metadata, "=") {
			bad("query/metadata", "write key=value")
		}
		terms = append(terms, "metadata."+req.Metadata)
	}
	if len(req.Query) > orders.MaxQuery {
		bad("query/q", "it is too long")
	}
	for _, w := range words(req.Query) {
		switch {
		case strings.HasPrefix(w, "ord_"):
			prefixes = append(prefixes, w)
		case strings.Contains(w, "@"):
			terms = append(terms, "email="+w)
		default:
			terms = append(terms, "word="+w)
		}
	}
	return prefixes, terms, faults(f)
}

var statuses = []string{
	orders.StatusProcessing, orders.StatusRequiresAction, orders.StatusCompleted, orders.StatusRejected, orders.StatusDeclined, orders.StatusCancelled,
	orders.StatusReview,
}

var fulfilmentStatuses = []string{orders.Unfulfilled, orders.PartiallyFulfilled, orders.Fulfilled}
