package schematest

import "strings"

// workloadRules are those of spec.workload without its resources.
var workloadRules = []Rule{
	{
		Name:     "a second replica of an Embedded inbox",
		Accepted: `workload: {replicas: 0}`,
		Refused:  `workload: {replicas: 2}`,
		Messages: []string{`spec.workload.replicas: Invalid value: workload.replicas: an Embedded inbox belongs to one pod: write 0 or 1`},
	},
	{
		Name:     "less temporary storage than an Ephemeral inbox needs",
		Accepted: `inbox: {embedded: {storage: Ephemeral, size: 100Mi}}, workload: {resources: {limits: {ephemeral-storage: 406Mi}}}`,
		Refused:  `inbox: {embedded: {storage: Ephemeral, size: 100Mi}}, workload: {resources: {limits: {ephemeral-storage: 405Mi}}}`,
		Messages: []string{`spec.workload.resources.limits: Invalid value: workload.resources.limits: ephemeral-storage: less than the volume of the Ephemeral inbox: write at least 1.5 times inbox.embedded.size and 256Mi, or leave it out`},
	},
	{
		Name:     "negative replicas",
		Accepted: `workload: {replicas: 1}`,
		Refused:  `workload: {replicas: -1}`,
		Messages: []string{`spec.workload.replicas: Invalid value: -1: workload.replicas: must not be negative: write 0 or 1`},
	},
	{
		Name:     "a short grace period",
		Accepted: `workload: {terminationGracePeriodSeconds: 10}`,
		Refused:  `workload: {terminationGracePeriodSeconds: 9}`,
		Messages: []string{`spec.workload.terminationGracePeriodSeconds: Invalid value: 9: workload.terminationGracePeriodSeconds: write a number of seconds from 10 to 3600, for example 30`},
	},
	{
		Name:     "a long grace period",
		Accepted: `workload: {terminationGracePeriodSeconds: 3600}`,
		Refused:  `workload: {terminationGracePeriodSeconds: 3601}`,
		Messages: []string{`spec.workload.terminationGracePeriodSeconds: Invalid value: 3601: workload.terminationGracePeriodSeconds: write a number of seconds from 10 to 3600, for example 30`},
	},
	{
		Name:     "an unknown log level",
		Accepted: `workload: {logLevel: debug}`,
		Refused:  `workload: {logLevel: trace}`,
		Messages: []string{`spec.workload.logLevel: Unsupported value: "trace": supported values: "debug", "info", "warn", "error"`},
	},
	{
		Name:     "a node label that cannot be",
		Accepted: `workload: {nodeSelector: {kubernetes.io/arch: amd64}}`,
		Refused:  `workload: {nodeSelector: {a b: amd64}}`,
		Messages: []string{`spec.workload.nodeSelector: Invalid value: workload.nodeSelector: write labels, for example kubernetes.io/arch: amd64`},
	},
	{
		Name:     "a value that no node label can have",
		Accepted: `workload: {nodeSelector: {zone: ""}}`,
		Refused:  `workload: {nodeSelector: {zone: a b}}`,
		Messages: []string{`spec.workload.nodeSelector[zone]: Invalid value: "a b": workload: write the value of a label: letters, digits, -, _ and ., in quotes`},
	},
	{
		Name:     "many node labels",
		Accepted: `workload: {nodeSelector: {` + strings.Trim(list(64, "l%d: a"), "[]") + `}}`,
		Refused:  `workload: {nodeSelector: {` + strings.Trim(list(65, "l%d: a"), "[]") + `}}`,
		Messages: []string{`spec.workload.nodeSelector: Too many: 65: must have at most 64 items`},
	},
	{
		Name:     "a label of the pods that cannot be",
		Accepted: `workload: {podLabels: {example.com/Team: chat}}`,
		Refused:  `workload: {podLabels: {-team: chat}}`,
		Messages: []string{`spec.workload.podLabels: Invalid value: workload.podLabels: write labels, for example team: chat`},
	},
	{
		Name:     "a value that no label of the pods can have",
		Accepted: `workload: {podLabels: {team: Chat_1.a-b}}`,
		Refused:  `workload: {podLabels: {team: Chăm sóc}}`,
		Messages: []string{`spec.workload.podLabels[team]: Invalid value: "Chăm sóc": workload: write the value of a label: letters, digits, -, _ and ., in quotes`},
	},
	{
		Name:     "a label's value without quotes",
		Accepted: `workload: {podLabels: {team: "1"}}`,
		Refused:  `workload: {podLabels: {team: 1}}`,
		Messages: []string{`spec.workload.podLabels.team: Invalid value: "integer": spec.workload.podLabels.team in body must be of type string: "integer"`},
	},
	{
		Name:     "a long value of a label",
		Accepted: `workload: {podLabels: {team: ` + strings.Repeat("a", 63) + `}}`,
		Refused:  `workload: {podLabels: {team: ` + strings.Repeat("a", 64) + `}}`,
		Messages: []string{`spec.workload.podLabels.team: Too long: may not be more than 63 bytes`},
	},
	{
		Name:     "many labels of the pods",
		Accepted: `workload: {podLabels: {` + strings.Trim(list(64, "l%d: a"), "[]") + `}}`,
		Refused:  `workload: {podLabels: {` + strings.Trim(list(65, "l%d: a"), "[]") + `}}`,
		Messages: []string{`spec.workload.podLabels: Too many: 65: must have at most 64 items`},
	},
	{
		Name:     "an annotation that cannot be",
		Accepted: `workload: {podAnnotations: {Example.com/note: Chăm sóc}}`,
		Refused:  `workload: {podAnnotations: {example.com/a/b: c}}`,
		Messages: []string{`spec.workload.podAnnotations: Invalid value: workload.podAnnotations: write annotations, for example prometheus.io/scrape: "true"`},
	},
	{
		Name:     "many annotations",
		Accepted: `workload: {podAnnotations: {` + strings.Trim(list(64, "l%d: a"), "[]") + `}}`,
		Refused:  `workload: {podAnnotations: {` + strings.Trim(list(65, "l%d: a"), "[]") + `}}`,
		Messages: []string{`spec.workload.podAnnotations: Too many: 65: must have at most 64 items`},
	},
	{
		Name:     "a name that no ServiceAccount can have",
		Accepted: `workload: {serviceAccountName: shop}`,
		Refused:  `workload: {serviceAccountName: shop_1}`,
		Messages: []string{`spec.workload.serviceAccountName: Invalid value: "shop_1": workload.serviceAccountName: write the name of a ServiceAccount, for example shop, or leave it out`},
	},
	{
		Name:     "a long name of a ServiceAccount",
		Accepted: `workload: {serviceAccountName: ` + strings.Repeat("a", 253) + `}`,
		Refused:  `workload: {serviceAccountName: ` + strings.Repeat("a", 254) + `}`,
		Messages: []string{`spec.workload.serviceAccountName: Too long: may not be more than 253 bytes`},
	},
	{
		Name:     "a name that no PriorityClass can have",
		Accepted: `workload: {priorityClassName: business-critical}`,
		Refused:  `workload: {priorityClassName: Business}`,
		Messages: []string{`spec.workload.priorityClassName: Invalid value: "Business": workload.priorityClassName: write the name of a PriorityClass, for example business-critical, or leave it out`},
	},
	{
		Name:     "a long name of a PriorityClass",
		Accepted: `workload: {priorityClassName: ` + strings.Repeat("a", 253) + `}`,
		Refused:  `workload: {priorityClassName: ` + strings.Repeat("a", 254) + `}`,
		Messages: []string{`spec.workload.priorityClassName: Too long: may not be more than 253 bytes`},
	},
	{
		Name:     "an image pull Secret without a name",
		Accepted: `workload: {imagePullSecrets: [{name: registry}]}`,
		Refused:  `workload: {imagePullSecrets: [{}]}`,
		Messages: []string{`spec.workload.imagePullSecrets[0].name: Required value`},
	},
	{
		Name:     "an image pull Secret twice",
		Accepted: `workload: {imagePullSecrets: [{name: a}, {name: b}]}`,
		Refused:  `workload: {imagePullSecrets: [{name: a}, {name: a}]}`,
		Messages: []string{`spec.workload.imagePullSecrets[1]: Duplicate value: {"name":"a"}`},
	},
	{
		Name:     "many image pull Secrets",
		Accepted: `workload: {imagePullSecrets: ` + list(16, "{name: s%d}") + `}`,
		Refused:  `workload: {imagePullSecrets: ` + list(17, "{name: s%d}") + `}`,
		Messages: []string{`spec.workload.imagePullSecrets: Too many: 17: must have at most 16 items`},
	},
}

// resourceRules are those of spec.workload.resources.
var resourceRules = []Rule{
	{
		Name:     "a request for an unknown resource",
		Accepted: `workload: {resources: {requests: {cpu: 100m, memory: 128Mi, ephemeral-storage: 1Gi}}}`,
		Refused:  `workload: {resources: {requests: {mem: 128Mi}}}`,
		Messages: []string{`spec.workload.resources.requests: Invalid value: workload.resources.requests: unknown resource: write cpu, memory or ephemeral-storage`},
	},
	{
		Name:     "a limit of an unknown resource",
		Accepted: `workload: {resources: {limits: {cpu: 2, memory: 1Gi}}}`,
		Refused:  `workload: {resources: {limits: {CPU: 1}}}`,
		Messages: []string{`spec.workload.resources.limits: Invalid value: workload.resources.limits: unknown resource: write cpu, memory or ephemeral-storage`},
	},
	{
		Name:     "a negative request for processors",
		Accepted: `workload: {resources: {requests: {cpu: 0}}}`,
		Refused:  `workload: {resources: {requests: {cpu: -100m}}}`,
		Messages: []string{`spec.workload.resources.requests: Invalid value: workload.resources.requests: cpu: write a number of cores from 0 to 1024, for example 100m`},
	},
	{
		Name:     "an absurd request for processors",
		Accepted: `workload: {resources: {requests: {cpu: 1024}}}`,
		Refused:  `workload: {resources: {requests: {cpu: 1025}}}`,
		Messages: []string{`spec.workload.resources.requests: Invalid value: workload.resources.requests: cpu: write a number of cores from 0 to 1024, for example 100m`},
	},
	{
		Name:     "a negative limit of processors",
		Accepted: `workload: {resources: {limits: {cpu: "0.5"}}}`,
		Refused:  `workload: {resources: {limits: {cpu: -1}}}`,
		Messages: []string{`spec.workload.resources.limits: Invalid value: workload.resources.limits: cpu: write a number of cores from 0 to 1024, for example 100m`},
	},
	{
		Name:     "an absurd limit of processors",
		Accepted: `workload: {resources: {limits: {cpu: 1k}}}`,
		Refused:  `workload: {resources: {limits: {cpu: 1e999999999}}}`,
		Messages: []string{`spec.workload.resources.limits: Invalid value: workload.resources.limits: cpu: write a number of cores from 0 to 1024, for example 100m`},
	},
	{
		Name:     "a request for bytes of memory",
		Accepted: `workload: {resources: {requests: {memory: 1Mi}}}`,
		Refused:  `workload: {resources: {requests: {memory: 64}}}`,
		Messages: []string{`spec.workload.resources.requests: Invalid value: workload.resources.requests: memory and ephemeral-storage: write a size from 1Mi to 16Ti, for example 256Mi`},
	},
	{
		Name:     "a request for thousandths of bytes",
		Accepted: `workload: {resources: {requests: {memory: 64M}}}`,
		Refused:  `workload: {resources: {requests: {memory: 128m}}}`,
		Messages: []string{`spec.workload.resources.requests: Invalid value: workload.resources.requests: memory and ephemeral-storage: write a size from 1Mi to 16Ti, for example 256Mi`},
	},
	{
		Name:     "a negative limit of memory",
		Accepted: `workload: {resources: {limits: {memory: 16Ti}}}`,
		Refused:  `workload: {resources: {limits: {memory: -1Gi}}}`,
		Messages: []string{`spec.workload.resources.limits: Invalid value: workload.resources.limits: memory and ephemeral-storage: write a size from 1Mi to 16Ti, for example 256Mi`},
	},
	{
		Name:     "an absurd limit of memory",
		Accepted: `workload: {resources: {limits: {memory: 512Mi}}}`,
		Refused:  `workload: {resources: {limits: {memory: 1e999999999}}}`,
		Messages: []string{`spec.workload.resources.limits: Invalid value: workload.resources.limits: memory and ephemeral-storage: write a size from 1Mi to 16Ti, for example 256Mi`},
	},
	{
		Name:     "an absurd limit of storage",
		Accepted: `workload: {resources: {limits: {ephemeral-storage: 16Ti}}}`,
		Refused:  `workload: {resources: {limits: {ephemeral-storage: 17Ti}}}`,
		Messages: []string{`spec.workload.resources.limits: Invalid value: workload.resources.limits: memory and ephemeral-storage: write a size from 1Mi to 16Ti, for example 256Mi`},
	},
	{
		Name:     "a request that is no amount",
		Accepted: `workload: {resources: {requests: {cpu: 1}}}`,
		Refused:  `workload: {resources: {requests: {cpu: two}}}`,
		Messages: []string{
			`spec.workload.resources.requests: Invalid value: workload.resources.requests: cpu: write a number of cores from 0 to 1024, for example 100m`,
			`spec.workload.resources.requests.cpu: Invalid value: "two": spec.workload.resources.requests.cpu in body should match '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'`,
		},
	},
	{
		Name:     "a request above its limit",
		Accepted: `workload: {resources: {requests: {cpu: 1}, limits: {cpu: 1000m, memory: 1Mi}}}`,
		Refused:  `workload: {resources: {requests: {cpu: 1}, limits: {cpu: 999m}}}`,
		Messages: []string{`spec.workload.resources.requests: Invalid value: workload.resources.requests: more than the limit: write at most what workload.resources.limits has`},
	},
	{
		Name:     "many requests",
		Accepted: `workload: {resources: {requests: {}}}`,
		Refused:  `workload: {resources: {requests: {` + strings.Trim(list(9, "r%d: 1"), "[]") + `}}}`,
		Messages: []string{`spec.workload.resources.requests: Too many: 9: must have at most 8 items`},
	},
	{
		Name:     "many limits",
		Accepted: `workload: {resources: {limits: {}}}`,
		Refused:  `workload: {resources: {limits: {` + strings.Trim(list(9, "r%d: 1"), "[]") + `}}}`,
		Messages: []string{`spec.workload.resources.limits: Too many: 9: must have at most 8 items`},
	},
}
