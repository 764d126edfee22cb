package orders

import (
	"context"
	"time"

	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/money"
)

// Faults of what comes after the checkout.
var (
	ErrShipped            = fault.New(fault.Conflict, "orders.shipped", "part of this order was sent; it can't be cancelled any more, use a return")
	ErrNotFulfillable     = fault.New(fault.Conflict, "orders.not_fulfillable", "only a completed order is sent")
	ErrQuantity           = fault.New(fault.Conflict, "orders.quantity", "this is more than is left of the line")
	ErrFulfilmentNotFound = fault.New(fault.NotFound, "orders.fulfilment_not_found", "this order has no such fulfilment")
	ErrFulfilmentStatus   = fault.New(fault.Conflict, "orders.fulfilment_status", "a fulfilment goes from created to shipped to delivered, or from created to cancelled")
	ErrReturnNotFound     = fault.New(fault.NotFound, "orders.return_not_found", "this order has no such return")
	ErrReturnStatus       = fault.New(fault.Conflict, "orders.return_status", "only a return that was requested can be received or cancelled")
	ErrRestock            = fault.New(fault.Conflict, "orders.restock", "only units that were not sent are restocked by a refund; use a return for the others")
	ErrTooMany            = fault.New(fault.Conflict, "orders.too_many", "this order has as many of these as it may have")
	ErrErasureNotFound    = fault.New(fault.NotFound, "orders.erasure_not_found", "there is no such erasure")
)

// Bounds of what comes after the checkout.
const (
	MaxOfOrder  = 200  // fulfilments, returns, refunds by line and notes, each
	MaxNote     = 4000 // bytes
	MaxReason   = 500  // bytes
	MaxTracking = 500  // bytes of a carrier, tracking number or URL
	MaxQuery    = 254  // bytes of a search
)

// Aftersales is what orders promises about orders that are complete: they are sent, come back, are talked about, and forgotten. All
// methods are safe for concurrent use. Besides the errors listed, each may return fault.ErrInvalid, and but for Erase and
// Erasure ErrOrderNotFound; those that change something ErrBusy while another command of the order is still running.
//
// Of each line, no more units are sent than were ordered and not withdrawn by a refund, no more come back than were sent, and none is
// refunded twice.
type Aftersales interface {
	// CreateFulfilment puts units together that are to be sent, or were. Repeating it with the same key makes nothing new.
	// Errors: ErrNotFulfillable, ErrQuantity, ErrTooMany, idempotency.ErrReused.
	CreateFulfilment(context.Context, CreateFulfilmentRequest) (FulfilmentAnswer, error)

	// UpdateFulfilment says how far it is, and by whom it is sent. Repeating it changes nothing.
	// Errors: ErrFulfilmentNotFound, ErrFulfilmentStatus, ErrNotFulfillable.
	UpdateFulfilment(context.Context, UpdateFulfilmentRequest) (Fulfilment, error)

	// Fulfilments lists those of an order, oldest first.
	Fulfilments(context.Context, OrderRequest) (FulfilmentList, error)

	// RequestReturn announces units that come back, and says what will become of them and of their money. Repeating it with the same
	// key makes nothing new. Errors: ErrNotFulfillable, ErrQuantity, ErrTooMany, idempotency.ErrReused.
	RequestReturn(context.Context, RequestReturnRequest) (ReturnAnswer, error)

	// ReceiveReturn says that they are here, gives back their money and puts them on a shelf, as the return says. It is as durable as
	// a refund. Errors: ErrReturnNotFound, ErrReturnStatus, ErrNotRefundable, ErrRefundAmount, ErrQuantity (they were refunded
	// already), idempotency.ErrReused.
	ReceiveReturn(context.Context, ReturnRequest) (Placement, error)

	// CancelReturn says that they won't come. Repeating it changes nothing. Errors: ErrReturnNotFound, ErrReturnStatus.
	CancelReturn(context.Context, ReturnRequest) (Return, error)

	// Returns lists those of an order, oldest first.
	Returns(context.Context, OrderRequest) (ReturnList, error)

	// AddNote keeps a remark on an order, for those who manage it. Repeating it with the same key makes nothing new.
	// Errors: ErrTooMany, idempotency.ErrReused.
	AddNote(context.Context, AddNoteRequest) (NoteAnswer, error)

	// Notes lists those of an order, oldest first.
	Notes(context.Context, OrderRequest) (NoteList, error)

	// PutMetadata replaces the metadata of an order. Errors: revision.ErrRequired, revision.ErrStale.
	PutMetadata(context.Context, PutMetadataRequest) (Order, error)

	// Erase has the personal data of a customer erased: in orders, their events, notes and stored answers. The figures stay. It goes on
	// in the background; an order that is not at its end yet is erased when it is. Repeating it with the same key makes nothing new.
	// Errors: idempotency.ErrReused.
	Erase(context.Context, EraseRequest) (Erasure, error)

	// Erasure tells how far an erasure is. Errors: ErrErasureNotFound.
	Erasure(context.Context, ErasureRequest) (Erasure, error)
}

// The fulfilment statuses of an order: whether its units were sent. Those that a refund withdrew need not be.
const (
	Unfulfilled        = "unfulfilled"
	PartiallyFulfilled = "partially_fulfilled"
	Fulfilled          = "fulfilled"
)

// LineQuantity is units of a line of an order. A request names the line by its number, or by its SKU where no other line has the same.
type LineQuantity struct {
	Line     int    `json:"line,omitempty" minimum:"1" maximum:"200" doc:"Number of the line, from 1"`
	SKU      string `json:"sku,omitempty" maxLength:"64" doc:"Instead of the number, where one line alone has it" example:"MUG-1"`
	Quantity int64  `json:"quantity" minimum:"1" maximum:"1000000" example:"1"`
}

// Tracking is by whom something is sent, and where that can be seen.
type Tracking struct {
	Carrier        string `json:"carrier,omitempty" maxLength:"500" example:"DHL"`
	TrackingNumber string `json:"tracking_number,omitempty" maxLength:"500"`
	TrackingURL    string `json:"tracking_url,omitempty" maxLength:"500"`
}

// The statuses of a fulfilment.
const (
	FulfilmentCreated   = "created" // being packed
	FulfilmentShipped   = "shipped"
	FulfilmentDelivered = "delivered"
	FulfilmentCancelled = "cancelled"
)

// Fulfilment is units of an order that are sent together.
type Fulfilment struct {
	ID        string         `json:"id"` // "ful_..."
	OrderID   string         `json:"order_id"`
	Status    string         `json:"status" enum:"created,shipped,delivered,cancelled"`
	Lines     []LineQuantity `json:"lines"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
	Tracking
}

// CreateFulfilmentRequest says which units are sent; without lines, all that are left. Status is created or shipped.
type CreateFulfilmentRequest struct {
	Key      idempotency.Key `json:"key"`
	OrderID  string          `json:"order_id"`
	Lines    []LineQuantity  `json:"lines"`
	Status   string          `json:"status"` // "": FulfilmentCreated
	Tracking Tracking        `json:"tracking"`
}

// FulfilmentAnswer is a fulfilment as it is now.
type FulfilmentAnswer struct {
	Fulfilment Fulfilment `json:"fulfilment"`
	Replayed   bool       `json:"replayed"`
}

// UpdateFulfilmentRequest says what has changed; what is empty stays.
type UpdateFulfilmentRequest struct {
	OrderID  string   `json:"order_id"`
	ID       string   `json:"id"`
	Status   string   `json:"status"`
	Tracking Tracking `json:"tracking"`
}

// FulfilmentList is the fulfilments of an order.
type FulfilmentList struct {
	Fulfilments []Fulfilment `json:"fulfilments"`
}

// The statuses of a return.
const (
	ReturnRequested = "requested"
	ReturnReceived  = "received" // and its money, if any, is on its way
	ReturnRefunded  = "refunded"
	ReturnCancelled = "cancelled"
)

// ReturnTerms is what becomes of units that come back.
type ReturnTerms struct {
	Lines        []LineQuantity `json:"lines" minItems:"1" maxItems:"200"`
	Reason       string         `json:"reason,omitempty" maxLength:"500"`
	Refund       bool           `json:"refund,omitempty" doc:"Give their money back when they are received"`
	RefundAmount *money.Money   `json:"refund_amount,omitempty" doc:"With refund: this much instead of the lines' share of what was paid"`
	Restock      bool           `json:"restock,omitempty" doc:"Put them on a shelf when they are received"`
	Location     string         `json:"location,omitempty" maxLength:"64" doc:"With restock: where; left out, where they came from"`
}

// Return is units of an order that come back.
type Return struct {
	ID      string `json:"id"` // "ret_..."
	OrderID string `json:"order_id"`
	Status  string `json:"status" enum:"requested,received,refunded,cancelled"`
	ReturnTerms
	Restocked *Restocked `json:"restocked,omitempty" doc:"Where it is to be restocked and was received"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// Restocked is what inventory made of units that were to be put back.
type Restocked struct {
	State   string `json:"state" enum:"pending,done,refused"`
	Problem string `json:"problem,omitempty" doc:"Why it was refused: adjust the stock by hand"`
}

// RequestReturnRequest announces a return.
type RequestReturnRequest struct {
	Key     idempotency.Key `json:"key"`
	OrderID string          `json:"order_id"`
	Terms   ReturnTerms     `json:"terms"`
}

// ReturnRequest names a return. CancelReturn needs no key.
type ReturnRequest struct {
	Key     idempotency.Key `json:"key"`
	OrderID string          `json:"order_id"`
	ID      string          `json:"id"`
}

// ReturnAnswer is a return as it is now.
type ReturnAnswer struct {
	Return   Return `json:"return"`
	Replayed bool   `json:"replayed"`
}

// ReturnList is the returns of an order.
type ReturnList struct {
	Returns []Return `json:"returns"`
}

// Note is a remark on an order.
type Note struct {
	ID        string    `json:"id"` // "not_..."
	OrderID   string    `json:"order_id"`
	Author    string    `json:"author" doc:"Id of the API key"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"created_at"`
}

// AddNoteRequest is a remark of the key's caller, or of Author where there is no key.
type AddNoteRequest struct {
	Key     idempotency.Key `json:"key"`
	OrderID string          `json:"order_id"`
	Author  string          `json:"author"`
	Text    string          `json:"text"`
}

// NoteAnswer is a note.
type NoteAnswer struct {
	Note     Note `json:"note"`
	Replayed bool `json:"replayed"`
}

// NoteList is the notes of an order.
type NoteList struct {
	Notes []Note `json:"notes"`
}

// PutMetadataRequest replaces the metadata of an order that has the version.
type PutMetadataRequest struct {
	OrderID   string            `json:"order_id"`
	Metadata  map[string]string `json:"metadata"`
	IfVersion int64             `json:"if_version"` // see package revision
}

// EraseRequest names a customer by email address, whatever its case, or by id; not both.
type EraseRequest struct {
	Key        idempotency.Key `json:"key"`
	Email      string          `json:"email"`
	CustomerID string          `json:"customer_id"`
	Requester  string          `json:"requester"` // id of the API key
}

// ErasureRequest names an erasure.
type ErasureRequest struct {
	ID string `json:"id"`
}

// Erasure is how far the personal data of a customer are erased. It does not say whose.
type Erasure struct {
	ID          string     `json:"id"` // "era_..."
	Status      string     `json:"status" enum:"running,waiting,done" doc:"waiting: for an order that is not at its end yet"`
	Orders      int64      `json:"orders" doc:"Erased so far"`
	RequestedBy string     `json:"requested_by" doc:"Id of the API key"`
	RequestedAt time.Time  `json:"requested_at"`
	DoneAt      *time.Time `json:"done_at"`
}

// What stands in place of personal data.
const (
	ErasedEmail = "erased@erased.invalid"
	ErasedText  = "(erased)"
)
