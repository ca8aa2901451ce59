package zalo

import (
	"fmt"
	"html"
	"net/http"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// verificationName is what Zalo's console looks for, in a file or on "/".
const verificationName = "zalo-platform-site-verification"

// verifierPage is the file that Zalo's console offers for download.
const verifierPage = `<!DOCTYPE html>
<html lang="en">
<head>
    <meta property="%s" content="%s" />
</head>
<body>
There Is No Limit To What You Can Accomplish Using Zalo!
</body>
</html>
`

// verifierPrefix begins the path of that file.
const verifierPrefix = "/zalo_verifier"

// Public serves Zalo's domain verification.
func (z *Channel) Public() []channel.Page {
	pages := make([]channel.Page, 0, 2*len(z.codes))
	for _, code := range z.codes {
		file := channel.Answer{
			Status: http.StatusOK, ContentType: "text/html; charset=utf-8",
			Body: fmt.Appendf(nil, verifierPage, verificationName, html.EscapeString(code)),
		}
		pages = append(pages,
			channel.Page{Path: verifierPrefix + code + ".html", Serve: func(*http.Request) channel.Answer { return file }},
			channel.Page{Path: "/", MetaTags: []channel.MetaTag{{Name: verificationName, Content: code}}})
	}
	return pages
}
