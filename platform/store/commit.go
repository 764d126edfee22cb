package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"cutpoint/platform/failpoint"
)

// ErrClosed is returned by Write once the store is closed.
var ErrClosed = errors.New("the store is closed")

// Group commit: one goroutine owns the write connection. It begins a transaction with the first write that comes, runs each
// write in a savepoint of its own, takes more for as long as there are any, commits once and answers all. With many callers
// the cost of a commit, which is the disk's, is shared; with one, nothing waits for a timer.
type committer struct {
	db     *gorm.DB
	engine engine
	batch  int
	fail   failpoint.Points
	name   string // of the module, in failpoints
	queue  chan *write
	done   chan struct{}

	mu     sync.RWMutex // held for reading while sending on queue
	closed bool

	commits, writes, failed atomic.Uint64
}

// write is a function that waits to be committed.
type write struct {
	ctx   context.Context
	fn    func(tx *gorm.DB) error
	err   error
	panic any
	done  chan struct{}
}

// batch is the transaction of writes that share a commit.
type batch struct {
	savepoints
	tx  *gorm.DB
	end func()
}

// savepoints let a write that fails undo itself and nothing else.
type savepoints interface {
	set() error  // before a write
	keep() error // after one that went well; an error says that it did not
	undo() error // after one that failed; an error says that the transaction is lost
}

// Stats are the figures of a store.
type Stats struct {
	Commits uint64 // transactions that reached the disk
	Writes  uint64 // writes in them
	Failed  uint64 // writes that were rolled back, or not begun since their context had ended
}

func startCommitter(db *gorm.DB, e engine, o Options) *committer {
	c := &committer{
		db: db, engine: e, batch: o.Batch, fail: o.Fail, name: cmp.Or(o.Module, e.name()),
		queue: make(chan *write, o.Queue), done: make(chan struct{}),
	}
	go c.run()
	return c
}

// Write runs fn in a transaction and returns when it is on the disk. fn's error, or a panic, undoes what fn did and nothing
// else, and is passed on. fn must use tx alone, not keep it, not end it, and not wait for anything: other writers stand behind
// it. (A constraint that is checked at the commit only, DEFERRABLE INITIALLY DEFERRED, would fail the others too.) A context that ends before fn was started means that fn never runs; after that the write is finished whatever happens to ctx.
func (s *Store) Write(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return s.committer.write(ctx, fn)
}

func (c *committer) write(ctx context.Context, fn func(tx *gorm.DB) error) error {
	w := &write{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := c.enqueue(w); err != nil {
		return err
	}
	<-w.done
	if w.panic != nil {
		panic(w.panic)
	}
	return w.err
}

func (c *committer) enqueue(w *write) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return ErrClosed
	}
	select {
	case c.queue <- w:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

func (c *committer) stop() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.queue)
	}
	c.mu.Unlock()
	<-c.done
}

func (c *committer) run() {
	defer close(c.done)
	batch := make([]*write, 0, c.batch)
	for first := range c.queue {
		batch = c.commit(append(batch[:0], first))
		for i, w := range batch {
			close(w.done)
			batch[i] = nil
		}
	}
}

// errLost is what the other writes of a batch are told when one of them ended their transaction.
var errLost = errors.New("another write ended the transaction that they shared")

// commit runs the writes and what joins them meanwhile in one transaction, and sets the outcome of each.
func (c *committer) commit(writes []*write) []*write {
	b, err := c.engine.begin(c.db)
	if err != nil {
		return c.refuse(writes, err)
	}
	defer b.end()
	whole := b.apply(writes[0])
	for whole && len(writes) < c.batch {
		select {
		case w, ok := <-c.queue:
			if ok {
				writes = append(writes, w)
				whole = b.apply(w)
				continue
			}
		default:
		}
		break
	}
	err = errLost
	if whole {
		err = c.end(b.tx)
	} else {
		b.tx.Rollback()
	}
	c.settle(writes, err)
	return writes
}

// refuse tells all that wait that no transaction could be begun: each of them would wait as long for the same answer.
func (c *committer) refuse(batch []*write, err error) []*write {
	for len(batch) < c.batch {
		select {
		case w, ok := <-c.queue:
			if ok {
				batch = append(batch, w)
				continue
			}
		default:
		}
		break
	}
	for _, w := range batch {
		w.err = fmt.Errorf("begin: %w", err)
	}
	c.failed.Add(uint64(len(batch)))
	return batch
}

// end commits. What fails after the commit leaves its writers in doubt, as a crash there does.
func (c *committer) end(tx *gorm.DB) error {
	if err := c.fail.Hit(c.name + ".commit.before"); err != nil {
		tx.Rollback()
		return err
	}
	if err := tx.Commit().Error; err != nil {
		return err
	}
	return c.fail.Hit(c.name + ".commit.after")
}

// settle gives those writes that went well the outcome of their commit.
func (c *committer) settle(batch []*write, err error) {
	written := uint64(0)
	for _, w := range batch {
		if w.err == nil && w.panic == nil {
			written++
			if err != nil {
				w.err = fmt.Errorf("commit: %w", err)
			}
		}
	}
	c.failed.Add(uint64(len(batch)) - written)
	if err != nil {
		c.failed.Add(written)
		return
	}
	c.commits.Add(1)
	c.writes.Add(written)
}

// apply runs one write in a savepoint and reports whether the transaction goes on. It does not where a write committed it, or
// where SQLite rolled all of it back by itself, as it does for a full disk or INSERT OR ROLLBACK, or where PostgreSQL is not there any
// more: what came after would be committed one by one.
func (b *batch) apply(w *write) (whole bool) {
	if w.err = w.ctx.Err(); w.err != nil {
		return true
	}
	if w.err = b.set(); w.err != nil {
		return false
	}
	w.err = w.run(b.tx.Session(&gorm.Session{NewDB: true, Context: b.tx.Statement.Context})) // its own, so that an error added to it stays in it
	if w.err == nil && w.panic == nil {
		if w.err = b.keep(); w.err == nil {
			return true
		}
	}
	return b.undo() == nil
}

func (w *write) run(tx *gorm.DB) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.panic = fmt.Sprintf("%v, in a write:\n%s", p, debug.Stack())
		}
	}()
	return w.fn(tx)
}

func (c *committer) stats() Stats {
	return Stats{Commits: c.commits.Load(), Writes: c.writes.Load(), Failed: c.failed.Load()}
}
