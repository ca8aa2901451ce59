package config_test

// documentProblems are of the file as a whole and of the shape of its fields.
var documentProblems = []flaw{
	// The file as a whole.
	{"empty", []string{minimal, ""}, []string{": the file is empty"}},
	{"comment only", []string{minimal, "# nothing\n"}, []string{": the file is empty"}},
	{"null", []string{minimal, "null\n"}, []string{": the file is empty"}},
	{"not YAML", []string{afterKind, "kind: ]\n"}, []string{":2: not YAML: did not find expected node content"}},
	{"not YAML on the first line", []string{minimal, "a: ]"}, []string{":1: not YAML: did not find expected node content"}},
	{"tab", under(afterKind, "server:\n\taddress: a\n"), []string{":4: not YAML: found character that cannot start any token"}},
	{"two documents", []string{sinkURL, sinkURL + "---\nkind: x\n"}, []string{":21: a second document: the file must hold one only"}},
	{"broken second document", []string{sinkURL, sinkURL + "---\nkind: ]\n"}, []string{":22: not YAML: did not find expected node content"}},
	{"not fields", []string{minimal, "- a\n"}, []string{
		":1: want fields (apiVersion, kind, server, metrics, report, log, admin, inbox, dispatch, stop, channels), not a list"}},
	{"alias without an anchor", []string{"value: HiddenValue-oa-secret", "value: *HiddenValue"}, []string{
		": not YAML: an alias without an anchor: put a value that begins with * in quotes"}},

	// Shape.
	{"unknown field", under(inboxPath, "    owner: me\n"), []string{":6: inbox.embedded.owner: unknown field: known are path, maxSize"}},
	{
		"misspelt field", under(inboxPath, "    maxsize: 1Gi\n"),
		[]string{":6: inbox.embedded.maxsize: unknown field: did you mean \"maxSize\"?"},
	},
	{"unknown field with a line break", under(inboxPath, "    \"a\\nb\": x\n"), []string{
		`:6: inbox.embedded: unknown field: known are path, maxSize`}},
	{"unknown top field", []string{afterKind, afterKind + "servers: {}\n"}, []string{":3: servers: unknown field: did you mean \"server\"?"}},
	{"secret as a field's name", []string{oaKey, "      - HiddenValue:\n"}, []string{
		":13: channels[0].zaloOA.signature.secretKeys[0]: unknown field: known are value, file, missing, source"}},
	{"misspelt field of a secret", []string{oaKey, "      - valeu: HiddenValue\n"}, []string{
		":13: channels[0].zaloOA.signature.secretKeys[0].valeu: unknown field: did you mean \"value\"?"}},
	{"duplicate field", under(inboxPath, "    path: other\n"), []string{":6: inbox.embedded.path: given twice, first on line 5"}},
	{
		"anchor", []string{"path: inbox", "path: &a inbox"},
		[]string{":5: inbox.embedded.path: anchors and aliases are not supported: write the value out"},
	},
	{"alias", []string{afterKind, "kind: &a ConnectorConfig\nadmin: {address: *a}\n"}, []string{
		":2: kind: anchors and aliases are not supported: write the value out",
		":3: admin.address: anchors and aliases are not supported: write the value out"}},
	{"merge key", under(inboxPath, "    <<: {maxSize: 1Gi}\n"), []string{
		":6: inbox.embedded: anchors, merge keys and structured keys are not supported: write the fields out"}},
	{"structured key", under(inboxPath, "    ? [a]\n    : b\n"), []string{
		":6: inbox.embedded: anchors, merge keys and structured keys are not supported: write the fields out"}},
	{
		"number for text", []string{appID, "    appID: 2553928453557884079\n"},
		[]string{":10: channels[0].zaloOA.appID: want text: put it in quotes, not a number"},
	},
	{
		"date for text", []string{"name: first", "name: 2026-11-22"},
		[]string{":16: channels[0].webhook.apiKeys[0].name: want text: put it in quotes, not a date"},
	},
	{"boolean for text", []string{"chat/shop", "true"}, []string{":7: channels[0].name: want text: put it in quotes, not true or false"}},
	{
		"tagged text", []string{"chat/shop", "!mine shop"},
		[]string{":7: channels[0].name: want text: put it in quotes, not a value with a tag of its own"},
	},
	{
		"text for a number", under(afterKind, "server: {maxInFlight: many}\n"), []string{":3: server.maxInFlight: want a whole number, not text"},
	},
	{
		"fraction for a number", under(afterKind, "server: {maxInFlight: 1.5}\n"),
		[]string{":3: server.maxInFlight: want a whole number, not a number"},
	},
	{
		"number too large", under(afterKind, "server: {maxInFlight: 99999999999999999999}\n"),
		[]string{":3: server.maxInFlight: want a whole number, not a number"},
	},
	{"text for a boolean", []string{"  type: ZaloOA\n", "  type: ZaloOA\n  delivery: {paused: yes}\n"}, []string{
		":9: channels[0].delivery.paused: want true or false, not text"}},
	{
		"text for a list", under(webhook, "    events: {include: all}\n"),
		[]string{":15: channels[0].webhook.events.include: want a list, not text"},
	},
	{"text for fields", []string{oaKey, "      - HiddenValue\n"}, []string{
		":13: channels[0].zaloOA.signature.secretKeys[0]: want fields (value, file, missing, source), not text"}},
	{"fields for a secret", []string{oaKey, "      - value: {HiddenValue: a}\n"}, []string{
		":13: channels[0].zaloOA.signature.secretKeys[0].value: want text: put it in quotes, not fields"}},
	{"number for a secret", []string{apiKey, "      value: 12345678\n"}, []string{
		":17: channels[0].webhook.apiKeys[0].value: want text: put it in quotes, not a number"}},
	{"bad duration", under("inbox:\n", "  deduplicationWindow: 1 day\n"), []string{
		":4: inbox.deduplicationWindow: want a duration: write for example \"10s\", \"5m\" or \"24h\""}},
	{"list for a duration", under("inbox:\n", "  deduplicationWindow: [24h]\n"), []string{
		":4: inbox.deduplicationWindow: want a single value, not a list"}},
	{"bad size", under(inboxPath, "    maxSize: big\n"), []string{
		":6: inbox.embedded.maxSize: want a size: write for example \"1Mi\", \"64Mi\" or \"1Gi\""}},
}
