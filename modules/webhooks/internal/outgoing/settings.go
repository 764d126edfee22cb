package outgoing

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/platform/fault"
	"cutpoint/platform/webhook"
)

// known are the types of events that a filter can name: a filter with a typing error would never match.
var known = []string{
	orders.EventReceived, orders.EventRequiresAction, orders.EventCompleted, orders.EventCaptured, orders.EventRefunded,
	orders.EventRejected, orders.EventDeclined, orders.EventCancelled, orders.EventReview,
	orders.EventDisputed, orders.EventDisputeWon, orders.EventDisputeLost, orders.EventAuthorisationExpiring, orders.EventAuthorisationExpired,
	orders.EventUpdated, orders.EventErased, orders.EventFulfilmentCreated, orders.EventFulfilmentShipped, orders.EventFulfilmentDelivered,
	orders.EventFulfilmentCancelled, orders.EventFulfilled, orders.EventReturnRequested, orders.EventReturnReceived, orders.EventReturnCancelled,
}

// check refuses settings with which nothing could be delivered. A host name is not looked up: it may lead elsewhere by the time
// of sending, and is judged by its address then.
func (p Policy) check(s webhooks.Settings) error {
	var found *fault.Error
	object := func(pointer, detail string) {
		if found == nil {
			found = fault.ErrInvalid
		}
		found = found.At(pointer, fault.ErrInvalid.Code, detail)
	}
	if problem := p.problemOf(s.URL); problem != "" {
		object("/url", problem)
	}
	if len(s.EventTypes) > webhooks.MaxEventTypes {
		object("/event_types", "must have at most 50 elements")
	}
	for _, t := range s.EventTypes[:min(len(s.EventTypes), webhooks.MaxEventTypes)] {
		if !slices.Contains(known, t) {
			object("/event_types", "must be types of events: "+strings.Join(known, ", "))
			break
		}
	}
	if utf8.RuneCountInString(s.Description) > webhooks.MaxDescription {
		object("/description", "must have at most 500 characters")
	}
	if found == nil { // an interface that holds a nil pointer is not nil
		return nil
	}
	return found
}

// problemOf returns what is wrong with the URL of an endpoint, or "".
func (p Policy) problemOf(text string) string {
	if text == "" || len(text) > webhooks.MaxURL {
		return "must have 1 to 2048 bytes"
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return "must be an absolute URL with a host"
	}
	secure := u.Scheme == "https" || u.Scheme == "http" && (p.AllowHTTP || p.AllowPrivate)
	switch a, err := netip.ParseAddr(u.Hostname()); {
	case !secure:
		return "must begin with https://"
	case u.User != nil || u.Fragment != "":
		return "must not hold a user, a password or a fragment"
	case err == nil && !p.AllowPrivate && !webhook.Public(a):
		return "must be at a public address"
	}
	return ""
}
