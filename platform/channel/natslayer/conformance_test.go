package natslayer_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"cutpoint/platform/channel"
	"cutpoint/platform/channel/channeltest"
	"cutpoint/platform/channel/natslayer"
)

// TestConformance plays every promise with messages and answers that all go over the server, though sender and receiver are one
// process here.
func TestConformance(t *testing.T) {
	s := serve(t, server.Options{})
	var shops atomic.Int64
	channeltest.Run(t, channeltest.Driver{
		RealTime:    true,
		LateRefusal: true,
		New: func(t testing.TB, o channel.Options) channel.Layer {
			l := open(t, s, natslayer.Options{Options: o, Prefix: "shop-" + strconv.FormatInt(shops.Add(1), 10)})
			natslayer.AnswerOverServer(l)
			return l
		},
	})
}
