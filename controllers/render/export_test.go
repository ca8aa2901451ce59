package render

// Load reads files as the connector will.
var Load = load
