package channel

import "time"

// RegistrationError is why a platform was not told where to call.
type RegistrationError struct {
	// Message quotes neither the credential, nor the secret, nor the URL's API key.
	Message string
	// Refused: the platform does not take the credential, so that only another one helps.
	Refused bool
	// RetryAfter is when the platform wants to be called again; 0 if it did not say.
	RetryAfter time.Duration
}

// Error is the message.
func (e *RegistrationError) Error() string { return e.Message }
