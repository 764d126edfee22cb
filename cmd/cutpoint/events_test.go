package main

import (
	"testing"
)

func TestEventsCheck(t *testing.T) {
	good := events{Events: "nats://localhost:4222", EventsStream: "CUTPOINT_EVENTS", EventsSubject: "cutpoint", EventsReplicas: 1}
	with := func(change func(*events)) events {
		e := good
		change(&e)
		return e
	}
	for name, c := range map[string]struct {
		events
		fine bool
	}{
		"nothing":          {events{}, true},
		"one server":       {good, true},
		"three servers":    {with(func(e *events) { e.Events = "tls://a:4222, tls://b:4222" }), true},
		"a deep prefix":    {with(func(e *events) { e.EventsSubject = "shops.berlin" }), true},
		"no scheme":        {with(func(e *events) { e.Events = "localhost:4222" }), false},
		"another protocol": {with(func(e *events) { e.Events = "http://localhost:4222" }), false},
		"no stream":        {with(func(e *events) { e.EventsStream = "" }), false},
		"a dotted stream":  {with(func(e *events) { e.EventsStream = "a.b" }), false},
		"a wildcard":       {with(func(e *events) { e.EventsSubject = "a.*" }), false},
		"an empty word":    {with(func(e *events) { e.EventsSubject = "a." }), false},
		"no replica":       {with(func(e *events) { e.EventsReplicas = 0 }), false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.check(); (err == nil) != c.fine {
				t.Errorf("it says %v", err)
			}
		})
	}
}
