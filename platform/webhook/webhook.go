// Package webhook signs messages that one system posts to another, and tells whether a message that came is one of theirs, by
// Standard Webhooks 1.0 (https://www.standardwebhooks.com).
//
// What is signed is the message's id, the second in which it was sent and its body, as they stand on the wire. A message may
// carry several signatures, so that a secret can be replaced without losing one. Only symmetric signatures (v1, HMAC-SHA256)
// are made and accepted; others are passed over.
//
// Public tells which addresses strangers may have messages sent to. The package knows no clock and opens no connection.
package webhook
