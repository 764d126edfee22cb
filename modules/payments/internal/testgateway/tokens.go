package testgateway

import (
	"strconv"
	"strings"
	"time"

	"cutpoint/modules/payments"
)

// token is what a customer's instrument does when it is charged, and what becomes of later requests about that charge. Its
// columns are the ways in which it may differ from pm_card_visa, which is the zero value of all of them. Where it says so, a
// number follows the name: pm_sim_asyncSucceed_30.
type token struct {
	name     string
	numbered bool
	n        int // that number, at most maxNumber

	decline  payments.Failure
	action   bool     // the customer must act
	async    string   // pending, and after n seconds, or at once: asyncSucceeds or asyncFails
	once     bool     // an authorisation can be captured once only
	expires  bool     // it ends after n seconds, not after a week
	surplus  int64    // moved beyond what was asked for
	line     line     // to whoever charges or authorises
	deaf     bool     // the first n look-ups fail
	webhooks webhooks // of the charge
	capture  line
	refund   line
	noRefund payments.Failure
}

// line is what becomes of an answer on its way.
type line int

const (
	good       line = iota
	hangs           // the money is taken, and no answer comes
	hangsFirst      // no answer comes the first time, and the money is not taken
	breaks          // the money is taken, and the answer can't be read
	crashes         // the money is taken, and the answer is that something went wrong
)

// webhooks are what the gateway tells of a charge. Of one that was answered at once, the answer has said all, so usually it tells
// nothing.
type webhooks int

const (
	usual   webhooks = iota // of what happens after the answer
	first                   // before the answer
	copied                  // n times
	reorder                 // an older message after the newer one
	lost                    // never
)

const (
	asyncSucceeds = "succeeds"
	asyncFails    = "fails"
)

// maxNumber bounds the number in a token: a week of seconds.
const maxNumber = 7 * 24 * 60 * 60

// maxCopies bounds how often a webhook is repeated.
const maxCopies = 100

// tokens is the table of all tokens. The names pm_card_..., and the codes of the declines, are those of Stripe's test cards.
func tokens() []token {
	return []token{
		{name: "pm_card_visa"},
		{name: "pm_card_visa_chargeDeclined", decline: payments.Failure{Code: "generic_decline", Message: "The card was declined."}},
		{name: "pm_card_visa_chargeDeclinedInsufficientFunds",
			decline: payments.Failure{Code: "insufficient_funds", Message: "The card has insufficient funds."}},
		{name: "pm_card_chargeDeclinedExpiredCard", decline: payments.Failure{Code: "expired_card", Message: "The card has expired."}},
		{name: "pm_card_chargeDeclinedProcessingError",
			decline: payments.Failure{Code: "processing_error", Message: "The card could not be processed; try again later."}},
		{name: "pm_card_authenticationRequired", action: true},
		{name: "pm_sim_timeoutCharged", line: hangs},
		{name: "pm_sim_timeoutNotCharged", line: hangsFirst},
		{name: "pm_sim_500Charged", line: crashes},
		{name: "pm_sim_resetCharged", line: breaks},
		{name: "pm_sim_asyncSucceed", numbered: true, async: asyncSucceeds},
		{name: "pm_sim_asyncFail", numbered: true, async: asyncFails},
		{name: "pm_sim_webhookFirst", webhooks: first},
		{name: "pm_sim_webhookDup", numbered: true, webhooks: copied},
		{name: "pm_sim_webhookReorder", webhooks: reorder},
		{name: "pm_sim_webhookLost", async: asyncSucceeds, webhooks: lost}, // only a look-up finds it
		{name: "pm_sim_lookupDown", numbered: true, line: hangs, deaf: true},
		{name: "pm_sim_refundUnknown", refund: breaks},
		{name: "pm_sim_refundFail", noRefund: payments.Failure{Code: "refund_failed", Message: "The bank of the card does not take the money back."}},
		{name: "pm_sim_captureUnknown", capture: breaks},
		{name: "pm_sim_wrongAmount", surplus: 1},
		{name: "pm_sim_captureOnce", once: true},
		{name: "pm_sim_authorisedFor", numbered: true, expires: true},
	}
}

// unknownToken is every token that is not in the table.
func unknownToken() token {
	return token{decline: payments.Failure{Code: "unknown_token", Message: "The test gateway does not know this token."}}
}

// token returns what a customer's instrument does.
func (g *Gateway) token(name string) token {
	if t, known := g.tokens[name]; known && !t.numbered {
		return t
	}
	end := strings.LastIndexByte(name, '_')
	if end < 0 {
		return unknownToken()
	}
	n, err := strconv.Atoi(name[end+1:])
	if t, known := g.tokens[name[:end]]; known && t.numbered && err == nil && n >= 0 {
		t.n = min(n, maxNumber)
		return t
	}
	return unknownToken()
}

// delay is when a pending charge settles.
func (t token) delay() time.Duration { return time.Duration(t.n) * time.Second }

// holds is how long an authorisation can be captured.
func (t token) holds() time.Duration {
	if t.expires {
		return t.delay()
	}
	return maxNumber * time.Second
}
