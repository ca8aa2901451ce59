package channel

import (
	"strconv"
	"time"
)

// The digits of milliseconds and of seconds since the epoch, from 2001 to 2286.
const (
	digitsOfMilliseconds = 13
	digitsOfSeconds      = 10
)

// EpochTime reads milliseconds of 13 digits since the epoch, or seconds of 10. Any other text gives the zero time: its
// unit is not known.
func EpochTime(text []byte) time.Time {
	value, err := strconv.ParseUint(string(text), 10, 63)
	switch {
	case err != nil:
		return time.Time{}
	case len(text) == digitsOfMilliseconds:
		return time.UnixMilli(int64(value)).UTC()
	case len(text) == digitsOfSeconds:
		return time.Unix(int64(value), 0).UTC()
	}
	return time.Time{}
}
