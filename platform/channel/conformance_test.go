package channel_test

import (
	"testing"

	"cutpoint/platform/channel"
	"cutpoint/platform/channel/channeltest"
)

func TestConformance(t *testing.T) {
	for mode, strict := range map[string]bool{"plain": false, "strict": true} {
		t.Run(mode, func(t *testing.T) {
			channeltest.Run(t, channeltest.Driver{New: func(_ testing.TB, o channel.Options) channel.Layer {
				o.Strict = strict
				return channel.NewMemory(o)
			}})
		})
	}
}
