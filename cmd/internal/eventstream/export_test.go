package eventstream

import "github.com/nats-io/nats.go"

// HangUp closes the connection of a publisher that was never started.
func (p *Publisher) HangUp() {
	if p.done == nil {
		p.hangUp()
	}
}

// AwaitServer returns when a publisher that was cut off is connected again.
func (p *Publisher) AwaitServer() {
	back := p.nc.StatusChanged(nats.CONNECTED)
	if p.nc.IsConnected() {
		return
	}
	<-back
}
