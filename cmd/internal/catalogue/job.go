package catalogue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"time"

	"cutpoint/cmd/internal/client"
)

// How many rows a job sends at a time: few where orders are placed meanwhile, which wait behind a batch; more where nobody waits.
const (
	gentleBatch = 10
	aloneBatch  = 100
)

// rest is how long a job that is not alone waits after a batch, as a part of the time that the batch took: the shop has a third of its
// time without an import.
const rest = 0.5

// Patience of a job with a shop that is full, or away.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
	attempts   = 15 // about a minute
)

// Job brings the rows of a file into a shop.
//
// It may be interrupted at any point, also by SIGKILL or a power loss. What it has done it writes down in File + ".progress", a batch
// at a time; the next job on the same file for the same target goes on there, and takes the file away at the end. The batch that was
// under way is sent again with the key that it had, so what was done of it is not done twice, for seven days and with the same API key.
// A file whose content is another one, or another target, begins anew.
//
// Bad rows are told one by one, and written to File + ".rejected.csv" with their line and what is wrong with them. A job whose rows are
// all good leaves no such file.
type Job struct {
	File     string
	Target   string // names the shop
	Shop     *client.Client
	Alone    bool                      // nobody else uses the shop: no need to be gentle
	Progress io.Writer                 // is sent what is read of the file; may be nil
	Resumed  func(line int)            // is told after which line an interrupted job goes on; may be nil
	Rejected func(line int, err error) // is told of every bad row; may be nil
}

// Result counts the rows of a file, also those that an interrupted job did before.
type Result struct{ Imported, Rejected int }

// Run does the job. An error means that there is more to do; the rows up to a line are done whatever it is.
func (j Job) Run(ctx context.Context) (r Result, err error) {
	f, err := os.Open(j.File)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return Result{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Result{}, err
	}
	var from io.Reader = f
	if j.Progress != nil {
		from = io.TeeReader(f, j.Progress)
	}
	lines, err := Read(j.File, from)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", j.File, err)
	}
	run, err := j.begin(hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return Result{}, err
	}
	if err = run.each(ctx, lines); err == nil {
		err = run.send(ctx)
	}
	return Result{run.note.Imported, run.note.Rejected}, errors.Join(err, run.end(err == nil))
}

// run is a job under way.
type run struct {
	Job
	importer *Importer
	note     note
	rejects  *rejects
	batch    []Row
	lines    []int // of the rows in batch
	latest   int   // the last line that was read
}

// begin takes up what an interrupted job has left of a file with this digest, or begins anew.
func (j Job) begin(digest string) (*run, error) {
	batch := gentleBatch
	if j.Alone {
		batch = aloneBatch
	}
	r := &run{Job: j, importer: NewImporter(j.Shop)}
	r.note = note{File: digest, Target: j.Target, Run: rand.Text(), Batch: batch}
	left, err := readNote(r.notePath())
	if err != nil {
		return nil, err
	}
	if left.File == r.note.File && left.Target == r.note.Target {
		r.note = left
		if j.Resumed != nil && left.Line > 0 {
			j.Resumed(left.Line)
		}
	}
	if r.rejects, err = openRejects(j.File+".rejected.csv", r.note.RejectedBytes); err != nil {
		return nil, err
	}
	if err := r.note.write(r.notePath(), true); err != nil {
		return nil, errors.Join(err, r.rejects.close(false))
	}
	return r, nil
}

func (r *run) notePath() string { return r.File + ".progress" }

// end leaves what the next job needs, or nothing if there is none.
func (r *run) end(whole bool) error {
	err := r.rejects.close(whole && r.note.Rejected == 0)
	if whole && err == nil {
		err = os.Remove(r.notePath())
	}
	return err
}

func (r *run) each(ctx context.Context, lines iter.Seq2[Line, error]) error {
	for l, err := range lines {
		if err != nil {
			return fmt.Errorf("read %s after line %d: %w", r.File, r.latest, err)
		}
		if l.Number <= r.note.Line { // done by an earlier job
			continue
		}
		if l.Err == nil {
			l.Err = l.Row.check()
		}
		if r.latest = l.Number; l.Err != nil {
			if err := r.reject(l.Number, l.Row.SKU, l.Err); err != nil {
				return err
			}
			continue
		}
		r.batch, r.lines = append(r.batch, l.Row), append(r.lines, l.Number)
		if len(r.batch) < r.note.Batch {
			continue
		}
		start := time.Now()
		if err := r.send(ctx); err != nil {
			return err
		}
		if r.Alone {
			continue
		}
		if err := pause(ctx, time.Duration(rest*float64(time.Since(start)))); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) reject(line int, sku string, reason error) error {
	r.note.Rejected++
	if r.Rejected != nil {
		r.Rejected(line, reason)
	}
	return r.rejects.add(line, sku, reason)
}

// send applies the batch and writes down that it is done. Its rows are those that follow what is written down, so that a job which is
// interrupted here sends the same ones again.
func (r *run) send(ctx context.Context) error {
	if len(r.batch) > 0 {
		if err := r.apply(ctx, r.batch, r.lines); err != nil {
			return err
		}
	}
	r.batch, r.lines = r.batch[:0], r.lines[:0]
	var err error
	if r.note.RejectedBytes, err = r.rejects.flush(); err != nil {
		return err
	}
	r.note.Line = max(r.note.Line, r.latest)
	return r.note.write(r.notePath(), false)
}

// apply brings rows in, and rejects those that the shop refused. If the shop finds the request as a whole wrong, which it should not
// after check, the rows go one by one, so that the good ones do not suffer.
func (r *run) apply(ctx context.Context, rows []Row, lines []int) error {
	key := fmt.Sprintf("import-%s-%d-%d", r.note.Run, lines[0], lines[len(lines)-1])
	refused, err := r.insist(ctx, key, rows)
	switch {
	case wrong(err) && len(rows) > 1:
		for i := range rows {
			if err := r.apply(ctx, rows[i:i+1], lines[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	case wrong(err):
		refused = map[int]error{0: err}
	case err != nil:
		return fmt.Errorf("lines %d to %d: %w", lines[0], lines[len(lines)-1], err)
	}
	for i := range rows {
		if refused[i] == nil {
			r.note.Imported++
		} else if err := r.reject(lines[i], rows[i].SKU, refused[i]); err != nil {
			return err
		}
	}
	return nil
}

// wrong reports whether a shop answered that a request can't be carried out as it is.
func wrong(err error) bool {
	var p *client.Problem
	return errors.As(err, &p) && (p.Status == http.StatusBadRequest || p.Status == http.StatusUnprocessableEntity || p.Status == http.StatusRequestEntityTooLarge)
}

// insist applies rows until there is an answer, with growing pauses, for about a minute.
func (r *run) insist(ctx context.Context, key string, rows []Row) (refused map[int]error, err error) {
	wait := firstPause
	for range attempts {
		if refused, err = r.importer.Apply(ctx, key, rows); err == nil || !passing(err) {
			return refused, err
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		wait = min(2*wait, longPause)
	}
	return nil, err
}

// pause waits, or returns why ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passing reports whether what failed may succeed later: nobody answered, or the shop has no room or an accident.
func passing(err error) bool {
	var p *client.Problem
	return !errors.As(err, &p) || p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests ||
		p.Code == "idempotency_key_in_use"
}
