package contracttest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
)

// Operation is an operation of a contract, with its messages as they travel.
type Operation struct {
	Name     string          `json:"name"` // "inventory.reserve"
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`

	request, response reflect.Type
}

// Operations returns all operations of a contract, with messages in which nothing is zero. It learns them from the client itself: every
// method is called once, and what it sends is read from the channel.
func Operations[C any](module string, client func(*rpc.Caller) C) ([]Operation, error) {
	l := channel.NewMemory(channel.Options{Strict: true})
	defer l.Close()
	callee, err := l.Listen(module + ".request")
	if err != nil {
		return nil, err
	}
	c := reflect.ValueOf(client(rpc.NewCaller(l, "contracttest", rpc.CallerOptions{})))
	operations := make([]Operation, c.NumMethod())
	for i := range operations {
		if operations[i], err = observe(l, callee, c.Method(i)); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", module, c.Type().Method(i).Name, err)
		}
	}
	return operations, nil
}

// observe calls a method of a client and answers it.
func observe(l channel.Layer, callee channel.Listener, method reflect.Value) (Operation, error) {
	t := method.Type()
	if t.NumIn() != 2 || t.NumOut() != 2 {
		return Operation{}, fmt.Errorf("it is %v; a method takes a context and a request, and returns an answer and an error", t)
	}
	o := Operation{request: t.In(1), response: t.Out(0)}
	request, response := filled(o.request), filled(o.response)
	body, err := json.Marshal(response.Interface())
	if err != nil {
		return o, err
	}
	o.Response = body
	var out []reflect.Value
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		out = method.Call([]reflect.Value{reflect.ValueOf(context.Background()), request})
	}()
	o.Name, o.Request, err = answer(l, callee, returned, body)
	<-returned
	if failed, _ := out[1].Interface().(error); failed != nil {
		return o, failed
	}
	if err != nil {
		return o, err
	}
	if !reflect.DeepEqual(out[0].Interface(), response.Interface()) {
		return o, fmt.Errorf("it was answered %+v and returned %+v", response, out[0])
	}
	return o, nil
}

// answer takes one message from a channel and answers it with a value. It gives up when its caller has.
func answer(l channel.Layer, callee channel.Listener, done <-chan struct{}, value json.RawMessage) (operation string, request json.RawMessage, err error) {
	var m channel.Message
	if err := callee.Receive(done, &m); err != nil {
		return "", nil, err
	}
	defer callee.Handled(&m)
	sent, encoded := m.Body.([]byte)
	if !encoded {
		return "", nil, fmt.Errorf("%s sent a %T", m.Header.Operation, m.Body)
	}
	body, err := json.Marshal(envelope{Value: value})
	if err != nil {
		return "", nil, err
	}
	l.Reply(m.Header.ReplyTo, body)
	return m.Header.Operation, sent, nil
}

// envelope is an encoded answer of package rpc.
type envelope struct {
	Value json.RawMessage `json:"value,omitempty"`
	Fault *fault.Error    `json:"fault,omitempty"`
}

// Pass carries messages, which another version may have made, through a contract: each request is read by the contract's server and
// sent on by its client, and the answer comes back through both. What it returns is what this version has understood. serve registers
// the contract's client at its server, as Serve(s, NewClient(c)).
func Pass(module string, serve func(*rpc.Server, *rpc.Caller), messages []Operation) ([]Passed, error) {
	front, back := channel.NewMemory(channel.Options{Strict: true}), channel.NewMemory(channel.Options{Strict: true})
	defer front.Close()
	defer back.Close()
	callee, err := back.Listen(module + ".request")
	if err != nil {
		return nil, err
	}
	s := rpc.NewServer(front, module, rpc.ServerOptions{Workers: 1})
	serve(s, rpc.NewCaller(back, "contracttest", rpc.CallerOptions{}))
	if err := s.Start(context.Background()); err != nil {
		return nil, err
	}
	defer func() { _ = s.Stop(context.Background()) }()
	passed := make([]Passed, len(messages))
	for i, m := range messages {
		passed[i] = pass(module, front, back, callee, m)
	}
	return passed, nil
}

// Passed is what a version made of the messages of one operation.
type Passed struct {
	Operation
	Refused string `json:"refused,omitempty"` // why it understood nothing
}

func pass(module string, front, back channel.Layer, callee channel.Listener, m Operation) Passed {
	p := Passed{Operation: Operation{Name: m.Name}}
	var answered envelope
	var failed error
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		answered, failed = ask(front, module+".request", m)
	}()
	_, request, err := answer(back, callee, returned, m.Response)
	<-returned
	switch {
	case failed != nil:
		p.Refused = failed.Error()
	case answered.Fault != nil:
		p.Refused = answered.Fault.Error()
	case err != nil:
		p.Refused = err.Error()
	default:
		p.Request, p.Response = request, answered.Value
	}
	return p
}

// ask sends a request as it is and returns the answer.
func ask(l channel.Layer, to string, m Operation) (envelope, error) {
	slot, err := l.OpenReply()
	if err != nil {
		return envelope{}, err
	}
	defer slot.Release()
	deadline := time.Now().Add(rpc.DefaultTimeout)
	header := channel.Header{Operation: m.Name, From: "contracttest", Deadline: deadline, ReplyTo: slot.Address()}
	if err := l.Send(to, channel.Message{Header: header, Body: []byte(m.Request)}); err != nil {
		return envelope{}, err
	}
	body, ok := slot.Wait(nil, deadline)
	text, encoded := body.([]byte)
	if !ok || !encoded {
		return envelope{}, fmt.Errorf("%s was not answered: %v", m.Name, body)
	}
	var e envelope
	err = json.Unmarshal(text, &e)
	return e, err
}
