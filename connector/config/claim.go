package config

// claim is a secret that lets calls in, and the field at which it stands.
type claim struct {
	at     string
	secret *Secret
	// name and origin are how messages call a signing key, and where the platform shows it.
	name, origin string
}

// yields decides which of two claims to the same value goes. A file with the wrong content must take nothing from
// another field. So a secret in the configuration file itself stays; after that, a secret whose file had the value
// before; of equals, the first.
func (c *Checker) yields(first, second claim) (goes, stays claim) {
	if c.standing(first) < c.standing(second) {
		return first, second
	}
	return second, first
}

func (c *Checker) standing(k claim) int {
	switch {
	case k.secret.File == "":
		return 2
	case c.before.keyFiles[k.secret.File] == k.secret.Reveal():
		return 1
	}
	return 0
}

// apart checks that no signing key is an API key. Of the two, an API key that is too short goes: it would anyway.
func (c *Checker) apart() {
	for _, s := range c.signing {
		digest := s.secret.Digest()
		key, same := c.keys[digest]
		if !same {
			continue
		}
		if goes, _ := c.yields(key, s); goes == s && !tooShort(key.secret) {
			c.Unfitf(s.at, s.secret, "is the same as the API key in %s: the two are different things, copy the %s from %s",
				key.at, s.name, s.origin).Reason = ReasonEqualsAPIKey(s.name)
			continue
		}
		c.Unfitf(key.at, key.secret, "is the same as the %s in %s: the two are different things, make a key with \"openssl rand -hex 32\"",
			s.name, s.at).Reason = ReasonEqualsAPIKey(s.name)
		delete(c.keys, digest)
	}
}
