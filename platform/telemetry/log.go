// Package telemetry is how a process tells what it does: its log, lines of log/slog in which every record that is made with a
// context carries the correlation id of the request that it serves; and its figures of calls between modules, in fixed memory.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"cutpoint/platform/channel"
)

// NewLog returns a logger that writes records of at least a level ("debug", "info", "warn", "error") to w, as "text" or "json".
func NewLog(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: use debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(correlated{slog.NewTextHandler(w, options)}), nil
	case "json":
		return slog.New(correlated{slog.NewJSONHandler(w, options)}), nil
	default:
		return nil, fmt.Errorf("log format %q: use text or json", format)
	}
}

// correlated adds the ids of the context to each record.
type correlated struct{ slog.Handler }

func (h correlated) Handle(ctx context.Context, r slog.Record) error {
	if id := channel.CorrelationID(ctx); id != "" {
		r.AddAttrs(slog.String("correlation_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h correlated) WithAttrs(attrs []slog.Attr) slog.Handler {
	return correlated{h.Handler.WithAttrs(attrs)}
}

func (h correlated) WithGroup(name string) slog.Handler {
	return correlated{h.Handler.WithGroup(name)}
}
