package azurebot

import (
	"fmt"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// BenchmarkRead measures the reading of a call whose token was verified before, whose token is new, and without a token.
func BenchmarkRead(b *testing.B) {
	body := sample(b)
	on, off := ready(b, channel.SignatureEnforce), ready(b, channel.SignatureOff)
	warm := bearing(nil)
	b.Run("warm", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, refusal := on.Read(arrived, warm, body); refusal != nil {
				b.Fatal(refusal)
			}
		}
	})
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			cold := bearing(map[string]any{"n": fmt.Sprint(i)})
			b.StartTimer()
			if _, refusal := on.Read(arrived, cold, body); refusal != nil {
				b.Fatal(refusal)
			}
		}
	})
	b.Run("off", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, refusal := off.Read(arrived, nil, body); refusal != nil {
				b.Fatal(refusal)
			}
		}
	})
}
