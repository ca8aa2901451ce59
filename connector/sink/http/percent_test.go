package httpsink

import (
	"testing"
)

func TestEncodeAttribute(t *testing.T) {
	tests := map[string]struct{ value, want string }{
		"plain ascii stays":    {"/zalo/2553928453557884079/36627", "/zalo/2553928453557884079/36627"},
		"the specification's":  {"Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"},
		"vietnamese":           {"Chào bạn", "Ch%C3%A0o%20b%E1%BA%A1n"},
		"double quotes":        {`a"b"`, "a%22b%22"},
		"percent":              {"100%20", "100%2520"},
		"line break injection": {"x\r\nX-Admin: 1", "x%0D%0AX-Admin:%201"},
		"control characters":   {"\x00\x1f\x7f\t", "%00%1F%7F%09"},
		"edges of the range":   {" !~\x7f", "%20!~%7F"},
		"invalid utf-8":        {"\xff\xfe", "%FF%FE"},
		"empty":                {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := EncodeAttribute(tt.value)
			if got != tt.want {
				t.Errorf("EncodeAttribute(%q) = %q, want %q", tt.value, got, tt.want)
			}
			if back := DecodeAttribute(got); back != tt.value {
				t.Errorf("DecodeAttribute(%q) = %q, want %q", got, back, tt.value)
			}
		})
	}
}

func TestDecodeAttributeOfOtherSenders(t *testing.T) {
	tests := map[string]struct{ value, want string }{
		"lower-case digits": {"%e2%82%ac", "€"},
		"plus is plus":      {"a+b", "a+b"},
		"broken sequence":   {"100%", "100%"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := DecodeAttribute(tt.value); got != tt.want {
				t.Errorf("DecodeAttribute(%q) = %q, want %q", tt.value, got, tt.want)
			}
		})
	}
}

func FuzzEncodeAttribute(f *testing.F) {
	for _, seed := range []string{"", "Chào \"bạn\" 100%", "a\r\nb: c", "\x00\xff", "%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		encoded := EncodeAttribute(value)
		if back := DecodeAttribute(encoded); back != value {
			t.Errorf("%q came back as %q", value, back)
		}
		for i := range len(encoded) {
			if c := encoded[i]; c < 0x21 || c > 0x7e || c == '"' {
				t.Fatalf("%q became %q: byte %#x is not safe in a header", value, encoded, c)
			}
		}
	})
}
