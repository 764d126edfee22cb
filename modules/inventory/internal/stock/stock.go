// Package stock is the body of the inventory module: levels in a SQLite file, and the commands that move them.
//
// Every command is one transaction of the store's single writer, so a level that a command has read stays as it is until the
// command ends. The state of a reservation is its dedupe record: a command that finds the state it would bring about answers
// with what is stored. What is decided without the database (how a demand is sourced from locations) is in allocate.go, and what a
// kit comes to in kits.go; take.go holds the levels to it. Carts hold stock by holds.go, and lose it by expire.go; orders by reserve.go, and bring it back by
// restock.go; backorders.go keeps what was promised. adjust.go and transfer.go change what is on hand, ledger.go writes it down, and
// events.go tells what crossed a line; audit.go compares the levels with what they are made of.
package stock

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

// Bounds of requests and pages.
const (
	maxCode    = 64   // bytes of a SKU or a location's code
	maxText    = 200  // characters of a name or a reason
	maxOrderID = 128  // bytes
	maxLines   = 1000 // of a request
	maxRows    = 4000 // read for one page of things that have parts, so that it fits into a message

	defaultLimit = 50
	maxLimit     = 200
)

// Stock is the body behind the contract. It is safe for concurrent use.
type Stock struct {
	store *store.Store
	now   func() time.Time
	newID id.Source

	sourcing string // of requests that don't say
}

var _ inventory.Service = (*Stock)(nil)

// New returns the stock in a store that has the migrations of inventory. sourcing is that of requests that don't say: split if it
// is empty.
func New(s *store.Store, now func() time.Time, newID id.Source, sourcing string) *Stock {
	return &Stock{store: s, now: now, newID: newID, sourcing: cmp.Or(sourcing, inventory.SourcingSplit)}
}

// time is the current time as the store will give it back.
func (s *Stock) time() time.Time { return store.Time(store.Micros(s.now())) }

// write runs a command in a transaction and returns its answer once that is on the disk.
func write[T any](ctx context.Context, s *Stock, command func(tx *gorm.DB) (T, error)) (T, error) {
	var answer, none T
	err := s.store.Write(ctx, func(tx *gorm.DB) (err error) {
		answer, err = command(tx)
		return err
	})
	if err != nil {
		return none, err
	}
	return answer, nil
}

// insertChunk keeps the parameters of a multi-row INSERT well below SQLite's 32,766.
const insertChunk = 1000

// insert adds rows with as few statements as possible. into is the table with its columns.
func insert(tx *gorm.DB, into string, rows [][]any) error {
	for chunk := range slices.Chunk(rows, insertChunk) {
		row := "(?" + strings.Repeat(", ?", len(chunk[0])-1) + ")"
		sql := "INSERT INTO " + into + " VALUES " + row + strings.Repeat(", "+row, len(chunk)-1)
		if _, err := store.Exec(tx, sql, slices.Concat(chunk...)...); err != nil {
			return err
		}
	}
	return nil
}

// limited is how many things a page has.
func limited(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}
	return min(limit, maxLimit)
}

// objections collects what is wrong with a request.
type objections struct{ fault *fault.Error }

func (o *objections) unless(ok bool, pointer, detail string) {
	if ok {
		return
	}
	if o.fault == nil {
		o.fault = fault.ErrInvalid
	}
	o.fault = o.fault.At(pointer, fault.ErrInvalid.Code, detail)
}

func (o *objections) err() error {
	if o.fault == nil { // an interface that holds a nil pointer is not nil
		return nil
	}
	return o.fault
}

const (
	codeRule  = "must have 1 to 64 letters, digits, dots, hyphens and underscores, and begin with a letter or a digit"
	textRule  = "must have 1 to 200 characters"
	orderRule = "must have 1 to 128 bytes"
	unitsRule = "must be from 1 to 1000000000"
)

// isCode reports whether a SKU or a location's code has the right form.
func isCode(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("._-", rune(c))) {
			return false
		}
	}
	return s != "" && len(s) <= maxCode
}

func isText(s string) bool { return s != "" && utf8.RuneCountInString(s) <= maxText }

// checkSourcing refuses what is no sourcing.
func (o *objections) checkSourcing(sourcing string) {
	o.unless(sourcing == "" || sourcing == inventory.SourcingSplit || sourcing == inventory.SourcingWhole, "/sourcing", "must be split or whole")
}

// checkOrder refuses ids that no order has. What else is in one is the business of orders.
func checkOrder(orderID string) error {
	var o objections
	o.unless(orderID != "" && len(orderID) <= maxOrderID, "/order_id", orderRule)
	return o.err()
}
