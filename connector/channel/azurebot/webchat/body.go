package webchat

import (
	"bytes"
	"fmt"
	"net/http"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
)

// The members of a body that are read. The others that xBot documents (email, phone, address, avatarUrl, extData) are
// not: Direct Line takes none of them.
const (
	memberToken = iota
	memberID
	memberUserID
	memberName
	memberUserInfo
)

var layout = scan.NewLayout([]scan.Member{
	memberToken: scan.At("token"), memberID: scan.At("userInfo.id"), memberUserID: scan.At("userInfo.userId"),
	memberName: scan.At("userInfo.name"), memberUserInfo: scan.At("userInfo"),
}...)

// maxToken bounds a token, in bytes. Direct Line's have a few hundred.
const maxToken = 8 << 10

// request is what a body asks for.
type request struct {
	// token is to be refreshed; empty for a new one.
	token string
	// id and name are the user's; empty if they are not given.
	id, name string
}

// read reads a body. A body with a token needs no user: the token is bound to one.
func read(body []byte) (request, *channel.Refusal) {
	m, err := layout.Scan(body)
	if err != nil {
		return request{}, malformed(err.Error())
	}
	if token := m.Text(memberToken); m.Given(memberToken) && (len(token) > 0 || m.Unusable(memberToken)) {
		if len(token) == 0 || len(token) > maxToken || bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return request{}, malformed("token is none of Direct Line")
		}
		return request{token: string(token)}, nil
	}
	return readUser(&m)
}

func readUser(m *scan.Members) (request, *channel.Refusal) {
	id, alias := m.Text(memberID), m.Text(memberUserID)
	switch {
	case m.Unusable(memberUserInfo):
		return request{}, malformed("userInfo is no object")
	case m.Unusable(memberID) || m.Unusable(memberUserID):
		return request{}, malformed(fmt.Sprintf("userInfo.id is neither text nor number, or longer than %d bytes", scan.MaxIDLength))
	case m.Unusable(memberName):
		return request{}, malformed(fmt.Sprintf("userInfo.name is no text, or longer than %d bytes", scan.MaxIDLength))
	case m.Lossy(): // two users could look the same
		return request{}, malformed("half a surrogate pair in userInfo")
	case len(id) > 0 && len(alias) > 0 && !bytes.Equal(id, alias):
		return request{}, malformed("userInfo.id and userInfo.userId differ: send one of them")
	case len(id) == 0:
		id = alias
	}
	return request{id: string(id), name: string(m.Text(memberName))}, nil
}

func malformed(what string) *channel.Refusal {
	return &channel.Refusal{Status: http.StatusBadRequest, Reason: channel.ReasonMalformed, Message: "malformed body: " + what}
}
