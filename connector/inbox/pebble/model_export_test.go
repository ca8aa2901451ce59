package pebble

// Measure looks how much room there is, as maintenance does all the time.
func (s *Inbox) Measure() { s.space.measure() }
