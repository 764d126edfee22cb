package main

import (
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver below the shop's own
	"github.com/rogpeppe/go-internal/testscript"

	"cutpoint/platform/webhook"
)

// receiver is somebody's server that takes webhooks, and knows their secret once it has seen it in an answer of the shop. Its zero
// value does not listen yet.
type receiver struct {
	server *httptest.Server

	mu     sync.Mutex
	down   bool
	secret []byte
	seen   []message
	faults []string
}

type message struct{ order, event string }

func (r *receiver) close() {
	if r.server != nil {
		r.server.Close()
	}
}

// ServeHTTP implements http.Handler. A message whose signature does not hold is written down as a fault, and refused.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var m struct {
		Type string
		Data struct {
			OrderID string `json:"order_id"`
		}
	}
	if err == nil {
		err = webhook.Verify(r.secret, req.Header.Get, body, time.Now(), webhook.DefaultTolerance)
	}
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		r.faults = append(r.faults, err.Error())
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.seen = append(r.seen, message{m.Data.OrderID, m.Type})
}

// of returns the events of an order in the order in which they came, and what was wrong with other messages.
func (r *receiver) of(order string) (events, faults []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.seen {
		if d.order == order {
			events = append(events, d.event)
		}
	}
	return events, slices.Clone(r.faults)
}

func (r *receiver) set(down bool, secret []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
	if secret != nil {
		r.secret = secret
	}
}

var secretShown = regexp.MustCompile(`"secret":"(whsec_[^"]+)"`)

// receive starts or stops taking webhooks. If the latest answer shows an endpoint's secret, the receiver knows it from now on.
func (s *story) receive(ts *testscript.TestScript, _ bool, args []string) {
	if s.receiver.server == nil {
		s.receiver.server = httptest.NewServer(&s.receiver)
		ts.Setenv("RECEIVER", s.receiver.server.URL)
	}
	var secret []byte
	if m := secretShown.FindStringSubmatch(s.answer); m != nil {
		var err error
		secret, err = webhook.ParseSecret(m[1])
		ts.Check(err)
	}
	s.receiver.set(args[0] == "down", secret)
}

func (s *story) received(ts *testscript.TestScript, _ bool, args []string) {
	var events, faults []string
	eventually(func() bool {
		events, faults = s.receiver.of(args[0])
		return len(faults) > 0 || len(events) >= len(args)-1
	})
	s.compare(ts, "messages refused by the receiver", faults, nil)
	s.compare(ts, "received", events, args[1:])
}

// datastore opens a datastore of the story behind the back of the shop.
func (s *story) datastore(ts *testscript.TestScript, name string) *sql.DB {
	if s.db != "" {
		u, err := url.Parse(s.db)
		ts.Check(err)
		query := u.Query()
		query.Set("search_path", name)
		u.RawQuery = query.Encode()
		db, err := sql.Open("pgx", u.String())
		ts.Check(err)
		return db
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(ts.Getenv("WORK"), "data", name+".db")+"?mode=rw")
	ts.Check(err)
	return db
}

func (s *story) sql(ts *testscript.TestScript, _ bool, args []string) {
	db := s.datastore(ts, args[0])
	defer func() { _ = db.Close() }()
	done, err := db.Exec(args[1])
	ts.Check(err)
	schema := regexp.MustCompile("^(CREATE|DROP|ALTER)").MatchString(args[1])
	if rows, err := done.RowsAffected(); err != nil || rows == 0 && !schema {
		ts.Fatalf("the statement changed no row (%v)", err)
	}
}

func (s *story) delivered(ts *testscript.TestScript, _ bool, _ []string) {
	db := s.datastore(ts, "testgateway")
	defer func() { _ = db.Close() }()
	var left int
	if !eventually(func() bool {
		ts.Check(db.QueryRow("SELECT count(*) FROM events").Scan(&left))
		return left == 0
	}) {
		ts.Fatalf("%d webhooks are not delivered", left)
	}
}

// sign uses the secret of the test gateway, which nobody but the gateway and the shop should know.
func (s *story) sign(ts *testscript.TestScript, _ bool, args []string) {
	db := s.datastore(ts, "testgateway")
	defer func() { _ = db.Close() }()
	var secret []byte
	ts.Check(db.QueryRow("SELECT secret FROM secret").Scan(&secret))
	age, err := time.ParseDuration(args[1])
	ts.Check(err)
	const id = "whm_of_a_story"
	at := time.Now().Add(-age)
	ts.Setenv("WEBHOOK_ID", id)
	ts.Setenv("WEBHOOK_TIMESTAMP", webhook.Timestamp(at))
	ts.Setenv("WEBHOOK_SIGNATURE", webhook.Sign(secret, id, at, []byte(ts.ReadFile(args[0]))))
}
