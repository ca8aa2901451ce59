package example

import (
	"encoding/json"
	"testing"
)

// TestEvent: the constants are those of the event, with its own id or another.
func TestEvent(t *testing.T) {
	for id, event := range map[string][]byte{MessageID: Event, "other": EventWithID("other")} {
		var got struct {
			AppID   string `json:"app_id"`
			Message struct {
				ID string `json:"msg_id"`
			}
		}
		if err := json.Unmarshal(event, &got); err != nil {
			t.Fatal(err)
		}
		if got.AppID != AppID || got.Message.ID != id {
			t.Errorf("the event is of app %s with the id %s, want %s and %s", got.AppID, got.Message.ID, AppID, id)
		}
	}
}
