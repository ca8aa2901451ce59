package channel_test

import (
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

func TestEpochTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"1782863507304": time.UnixMilli(1782863507304).UTC(), "1782863507": time.Unix(1782863507, 0).UTC(),
		"": {}, "178286350730": {}, "17828635073041": {}, "+782863507304": {}, "-782863507": {}, "1782863507.30": {},
		"1_82863507": {}, "0x17828635": {},
	} {
		if got := channel.EpochTime([]byte(text)); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
