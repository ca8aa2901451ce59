package schematest

// Changes are the rules for changes: what cannot be changed, in every way to try
// it.
var Changes = []Change{
	{
		Name:     "the type",
		Before:   ``,
		Accepted: `webhook: {path: /other}`,
		Refused:  `type: Telegram`,
		Messages: []string{`spec.type: Unsupported value: "Telegram": supported values: "ZaloOA"`},
	},
	{
		Name:     "the storage",
		Before:   ``,
		Accepted: `inbox: {embedded: {storage: Persistent}}`,
		Refused:  `inbox: {embedded: {storage: Ephemeral}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.storage: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the storage, once set",
		Before:   `inbox: {embedded: {storage: Persistent}}`,
		Accepted: `inbox: {embedded: null}`,
		Refused:  `inbox: {embedded: {storage: Ephemeral}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.storage: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the storage, by leaving it out",
		Before:   `inbox: {embedded: {storage: Ephemeral}}`,
		Accepted: `inbox: {embedded: {storage: Ephemeral}, deduplicationWindow: 3h}`,
		Refused:  `inbox: {embedded: {}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.storage: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the storage, by leaving embedded out",
		Before:   `inbox: {embedded: {storage: Ephemeral}}`,
		Accepted: `inbox: {embedded: {storage: Ephemeral, size: 1Gi}}`,
		Refused:  `inbox: {embedded: null}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.storage: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the size",
		Before:   `inbox: {embedded: {size: 2Gi}}`,
		Accepted: `inbox: {embedded: {size: 2048Mi}}`,
		Refused:  `inbox: {embedded: {size: 3Gi}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.size: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the size, by setting it",
		Before:   ``,
		Accepted: `inbox: {embedded: {size: 1073741824}}`,
		Refused:  `inbox: {embedded: {size: 2Gi}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.size: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the size, by leaving it out",
		Before:   `inbox: {embedded: {size: 2Gi}}`,
		Accepted: `inbox: {embedded: {size: "2147483648"}}`,
		Refused:  `inbox: {embedded: {}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.size: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the size, by leaving embedded out",
		Before:   `inbox: {embedded: {size: 2Gi}}`,
		Accepted: `inbox: {embedded: {size: 2Gi}}`,
		Refused:  `inbox: {embedded: null}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.size: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the size, to no size",
		Before:   `inbox: {embedded: {size: 2Gi}}`,
		Accepted: `inbox: {embedded: {size: 2Gi}}`,
		Refused:  `inbox: {embedded: {size: 2GB}}`,
		Messages: []string{
			`spec.inbox.embedded.size: Invalid value: "2GB": spec.inbox.embedded.size in body should match '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'`,
			`spec.inbox.embedded.size: Invalid value: "2GB": inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`,
		},
	},
	{
		Name:     "the size, to an absurd one",
		Before:   `inbox: {embedded: {size: 2Gi}}`,
		Accepted: `inbox: {embedded: {size: 2Gi}}`,
		Refused:  `inbox: {embedded: {size: 1e999999999}}`,
		Messages: []string{`spec.inbox.embedded.size: Invalid value: "1e999999999": inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`},
	},
	{
		Name:     "the class",
		Before:   `inbox: {embedded: {storageClassName: fast}}`,
		Accepted: `inbox: {embedded: {storageClassName: fast, size: 1Gi}}`,
		Refused:  `inbox: {embedded: {storageClassName: slow}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.storageClassName: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the class, by setting it",
		Before:   ``,
		Accepted: `inbox: {embedded: {storageClassName: ""}}`,
		Refused:  `inbox: {embedded: {storageClassName: fast}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.storageClassName: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the class, by leaving it out",
		Before:   `inbox: {embedded: {storageClassName: fast}}`,
		Accepted: `inbox: {embedded: {storageClassName: fast}}`,
		Refused:  `inbox: {embedded: {}}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.storageClassName: cannot be changed: create another ChannelConnector`},
	},
	{
		Name:     "the class, by leaving embedded out",
		Before:   `inbox: {embedded: {storageClassName: fast}}`,
		Accepted: `inbox: {embedded: {storageClassName: fast}}`,
		Refused:  `inbox: {embedded: null}`,
		Messages: []string{`spec.inbox.embedded: Invalid value: inbox.embedded.storageClassName: cannot be changed: create another ChannelConnector`},
	},
}
