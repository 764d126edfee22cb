package outgoing

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"gorm.io/gorm"

	"cutpoint/modules/webhooks"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
)

// byRequest is the reason of an endpoint that its owner has disabled.
const byRequest = "disabled on request"

// CreateEndpoint implements webhooks.Service.
func (o *Outgoing) CreateEndpoint(ctx context.Context, r webhooks.CreateEndpointRequest) (webhooks.EndpointSecret, error) {
	if err := o.policy.check(r.Settings); err != nil {
		return webhooks.EndpointSecret{}, err
	}
	return write(ctx, o, func(tx *gorm.DB) (webhooks.EndpointSecret, error) {
		claim, err := store.FindClaim(tx, r.Key, o.Now())
		if err != nil {
			return webhooks.EndpointSecret{}, err
		}
		if claim != nil {
			e, err := findEndpoint(tx, claim.Subject)
			return webhooks.EndpointSecret{Endpoint: e.Endpoint, Secret: e.secrets.latest(), Replayed: true}, err
		}
		var there int
		if err := tx.Raw("SELECT COUNT(*) FROM endpoints WHERE deleted_at = 0").Row().Scan(&there); err != nil {
			return webhooks.EndpointSecret{}, err
		}
		if there >= webhooks.MaxEndpoints {
			return webhooks.EndpointSecret{}, webhooks.ErrTooManyEndpoints
		}
		e, err := o.insertEndpoint(tx, r.Settings)
		if err != nil {
			return webhooks.EndpointSecret{}, err
		}
		return webhooks.EndpointSecret{Endpoint: e.Endpoint, Secret: e.secrets.latest()}, store.SaveClaim(tx, r.Key, e.ID, nil, e.CreatedAt)
	})
}

func (o *Outgoing) insertEndpoint(tx *gorm.DB, s webhooks.Settings) (endpoint, error) {
	now := o.clock()
	e := endpoint{
		Endpoint: webhooks.Endpoint{ID: o.NewID("whe"), CreatedAt: now, UpdatedAt: now, Version: 1},
		secrets:  secrets{{Secret: o.newSecret()}},
	}
	e.set(s)
	return e, tx.Exec(`INSERT INTO endpoints (id, url, event_types, description, enabled, disabled_reason, secrets, failing_since,
		failed_at, deleted_at, version, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?)`,
		e.ID, e.URL, text(e.EventTypes), e.Description, e.Enabled, e.DisabledReason, text(e.secrets),
		e.Version, store.Micros(e.CreatedAt), store.Micros(e.UpdatedAt)).Error
}

// PutEndpoint implements webhooks.Service. An endpoint that is enabled again starts with a clean record.
func (o *Outgoing) PutEndpoint(ctx context.Context, r webhooks.PutEndpointRequest) (webhooks.Endpoint, error) {
	if err := o.policy.check(r.Settings); err != nil {
		return webhooks.Endpoint{}, err
	}
	e, err := write(ctx, o, func(tx *gorm.DB) (endpoint, error) {
		e, err := findEndpoint(tx, r.ID)
		if err != nil {
			return e, err
		}
		if err := revision.Check(e.Version, r.IfVersion); err != nil {
			return e, err
		}
		e.set(r.Settings)
		e.Version, e.UpdatedAt, e.FailingSince = e.Version+1, o.clock(), nil
		return e, tx.Exec(`UPDATE endpoints SET url = ?, event_types = ?, description = ?, enabled = ?, disabled_reason = ?,
			failing_since = 0, failed_at = 0, version = ?, updated_at = ? WHERE id = ?`,
			e.URL, text(e.EventTypes), e.Description, e.Enabled, e.DisabledReason, e.Version, store.Micros(e.UpdatedAt), e.ID).Error
	})
	if err == nil {
		o.nudge() // what has waited may go out
	}
	return e.Endpoint, err
}

// DeleteEndpoint implements webhooks.Service. The deliveries may be many: Clean deletes them, a batch at a time.
func (o *Outgoing) DeleteEndpoint(ctx context.Context, r webhooks.EndpointRequest) (webhooks.Deleted, error) {
	return write(ctx, o, func(tx *gorm.DB) (webhooks.Deleted, error) {
		gone := tx.Exec("UPDATE endpoints SET deleted_at = ?, secrets = '[]' WHERE id = ? AND deleted_at = 0", store.Micros(o.Now()), r.ID)
		if gone.Error == nil && gone.RowsAffected == 0 {
			return webhooks.Deleted{}, webhooks.ErrEndpointNotFound
		}
		return webhooks.Deleted{}, gone.Error
	})
}

// Endpoint implements webhooks.Service.
func (o *Outgoing) Endpoint(ctx context.Context, r webhooks.EndpointRequest) (webhooks.Endpoint, error) {
	e, err := findEndpoint(o.Store.Read(ctx), r.ID)
	return e.Endpoint, err
}

// Endpoints implements webhooks.Service.
func (o *Outgoing) Endpoints(ctx context.Context, r webhooks.EndpointsRequest) (webhooks.EndpointPage, error) {
	limit := limited(r.Limit)
	found, err := queryEndpoints(o.Store.Read(ctx), "deleted_at = 0 AND id > ? ORDER BY id LIMIT ?", r.After, limit+1)
	if err != nil {
		return webhooks.EndpointPage{}, err
	}
	page := webhooks.EndpointPage{Endpoints: []webhooks.Endpoint{}, More: len(found) > limit}
	for _, e := range found[:min(len(found), limit)] {
		page.Endpoints = append(page.Endpoints, e.Endpoint)
	}
	return page, nil
}

// endpoint is an endpoint as it stands in the store.
type endpoint struct {
	webhooks.Endpoint
	secrets secrets
}

func (e *endpoint) set(s webhooks.Settings) {
	e.URL, e.Description, e.Enabled, e.DisabledReason = s.URL, s.Description, true, ""
	if e.EventTypes = s.EventTypes; e.EventTypes == nil {
		e.EventTypes = []string{}
	}
	if s.Disabled {
		e.Enabled, e.DisabledReason = false, byRequest
	}
}

// findEndpoint returns an endpoint that was not deleted. Errors: webhooks.ErrEndpointNotFound.
func findEndpoint(db *gorm.DB, endpointID string) (endpoint, error) {
	found, err := queryEndpoints(db, "deleted_at = 0 AND id = ?", endpointID)
	if err == nil && len(found) == 0 {
		err = webhooks.ErrEndpointNotFound
	}
	if err != nil {
		return endpoint{}, err
	}
	return found[0], nil
}

// queryEndpoints returns the endpoints of which a condition holds.
func queryEndpoints(db *gorm.DB, where string, args ...any) ([]endpoint, error) {
	rows, err := db.Raw(`SELECT id, url, event_types, description, enabled, disabled_reason, secrets, failing_since, version, created_at,
		updated_at FROM endpoints WHERE `+where, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []endpoint
	for rows.Next() {
		var e endpoint
		var failing, created, updated int64
		if err := rows.Scan(&e.ID, &e.URL, document{&e.EventTypes}, &e.Description, &e.Enabled, &e.DisabledReason, document{&e.secrets},
			&failing, &e.Version, &created, &updated); err != nil {
			return nil, err
		}
		if failing > 0 {
			since := store.Time(failing)
			e.FailingSince = &since
		}
		e.CreatedAt, e.UpdatedAt = store.Time(created), store.Time(updated)
		found = append(found, e)
	}
	return found, rows.Err()
}

// text is how a value stands in a column of JSON.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // what is stored here always encodes
	}
	return string(b)
}

// document reads a column of JSON.
type document struct{ into any }

var _ sql.Scanner = document{}

// Scan implements sql.Scanner.
func (d document) Scan(column any) error {
	switch c := column.(type) {
	case string:
		return json.Unmarshal([]byte(c), d.into)
	case []byte:
		return json.Unmarshal(c, d.into)
	default:
		return errors.New("not a column of JSON")
	}
}
