package channel

import (
	"encoding/json"
	"net/http"
)

// JSONAnswer is xBot's own shape of an answer: {"status":"0","message":...} for status 200, and "1" for the rest.
func JSONAnswer(status int, message string) Answer {
	result := "1"
	if status == http.StatusOK {
		result = "0"
	}
	body, _ := json.Marshal(struct { //nolint:errchkjson // two strings always marshal
		Status  string `json:"status"`
		Message string `json:"message"`
	}{result, message})
	return Answer{Status: status, ContentType: "application/json", Body: body}
}
