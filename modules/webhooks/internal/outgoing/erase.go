package outgoing

import (
	"encoding/json"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
)

// erase takes the customer out of what is stored of an order, when the feed tells that orders has done so: out of the payloads of its
// earlier events, sent or not, and out of what receivers answered. All of them stand before that event in the feed, so none comes
// later; what is sent from then on, again too, is the event without the customer, under the same id. The commit is that of the page.
func erase(tx *gorm.DB, e orders.Event) error {
	var kept []struct{ ID, Payload string }
	if err := tx.Raw("SELECT id, payload FROM events WHERE order_id = ? AND id <> ?", e.OrderID, e.ID).Scan(&kept).Error; err != nil {
		return err
	}
	for _, k := range kept {
		var p payload
		if err := json.Unmarshal([]byte(k.Payload), &p); err != nil {
			return err
		}
		p.Data.Order.Forget(e.At)
		if err := tx.Exec("UPDATE events SET payload = ? WHERE id = ?", text(p), k.ID).Error; err != nil {
			return err
		}
		if err := eraseAnswers(tx, k.ID); err != nil {
			return err
		}
	}
	return nil
}

// eraseAnswers forgets what receivers said to an event. When it was tried, and what came of it, stays.
func eraseAnswers(tx *gorm.DB, eventID string) error {
	var sent []struct{ ID, Log string }
	if err := tx.Raw("SELECT id, log FROM deliveries WHERE event_id = ?", eventID).Scan(&sent).Error; err != nil {
		return err
	}
	for _, d := range sent {
		var log []webhooks.Attempt
		if err := json.Unmarshal([]byte(d.Log), &log); err != nil {
			return err
		}
		for i := range log {
			log[i].Answer = ""
		}
		if err := tx.Exec("UPDATE deliveries SET erased = 1, log = ? WHERE id = ?", text(log), d.ID).Error; err != nil {
			return err
		}
	}
	return nil
}
