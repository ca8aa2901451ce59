package quickstart

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHMAC: the script computes what Go computes, for keys as in RFC 4231, of all lengths and of all bytes.
func TestHMAC(t *testing.T) {
	every := make([]byte, 255)
	for i := range every {
		every[i] = byte(i + 1) // a variable of bash holds all but zero
	}
	text := []byte("what do ya want for nothing?")
	tests := []struct {
		key     string
		message []byte
	}{
		{"Jefe", text}, {strings.Repeat("\x0b", 20), []byte("Hi There")}, {strings.Repeat("\xaa", 20), bytes.Repeat([]byte{0xdd}, 50)},
		{strings.Repeat("\xaa", 131), text}, {string(every[:63]), text}, {string(every[:64]), text}, {string(every[:65]), text},
		{string(every[64:128]), text}, {string(every[128:192]), text}, {string(every[192:]), text}, {string(every), text},
		{"6", nil}, {`\`, []byte("%s\\x41\n\n")}, {"'\"$HOME` %s", slices.Concat(every, []byte{0, '\n'})},
		{"khóa\nbí mật\n", bytes.Repeat([]byte("chào "), 1<<16)},
	}
	folder, want := t.TempDir(), ""
	t.Setenv("MESSAGES", folder)
	for i, tt := range tests {
		t.Setenv(fmt.Sprintf("KEY%d", i), tt.key)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(i)), tt.message, 0o600); err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, []byte(tt.key))
		mac.Write(tt.message)
		want += hex.EncodeToString(mac.Sum(nil)) + "\n"
	}
	out, failure, ok := script(t, on("messenger")+
		fmt.Sprintf(`for ((n = 0; n < %d; n++)); do key=KEY$n; hmac "${!key}" <"$MESSAGES/$n"; done`, len(tests)))
	if !ok || out != want {
		t.Errorf("it computes\n%swant\n%s%s", out, want, failure)
	}
}
