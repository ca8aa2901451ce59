package zalo

import (
	"fmt"
	"html"

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

func domainProof(codes []string) channel.DomainProof {
	proof := channel.DomainProof{Pages: make(map[string][]byte, len(codes))}
	for _, code := range codes {
		proof.Pages["/zalo_verifier"+code+".html"] = fmt.Appendf(nil, verifierPage, verificationName, html.EscapeString(code))
		proof.MetaTags = append(proof.MetaTags, channel.MetaTag{Name: verificationName, Content: code})
	}
	return proof
}
