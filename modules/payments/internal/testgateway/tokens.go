package testgateway

import "cutpoint/modules/payments"

// token is what a customer's instrument does when it is charged. Its columns are the ways in which it may differ from
// pm_card_visa, which is the zero value of all of them.
type token struct {
	name    string
	decline payments.Failure
}

// tokens is the table of all tokens. The names, and the codes of the declines, are those of Stripe's test cards.
func tokens() []token {
	return []token{
		{name: "pm_card_visa"},
		{name: "pm_card_visa_chargeDeclined",
			decline: payments.Failure{Code: "generic_decline", Message: "The card was declined."}},
		{name: "pm_card_visa_chargeDeclinedInsufficientFunds",
			decline: payments.Failure{Code: "insufficient_funds", Message: "The card has insufficient funds."}},
		{name: "pm_card_chargeDeclinedExpiredCard",
			decline: payments.Failure{Code: "expired_card", Message: "The card has expired."}},
		{name: "pm_card_chargeDeclinedProcessingError",
			decline: payments.Failure{Code: "processing_error", Message: "The card could not be processed; try again later."}},
	}
}

// unknownToken is every token that is not in the table.
func unknownToken() token {
	return token{decline: payments.Failure{Code: "unknown_token", Message: "The test gateway does not know this token."}}
}
