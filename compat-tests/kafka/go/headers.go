package main

import "encoding/base64"

type header struct {
	name  string
	value []byte
}

func headersOf(message sentMessage) []header {
	headers := []header{}
	for _, pair := range message.Headers {
		one := header{name: *pair[0]}
		if pair[1] != nil {
			one.value, _ = base64.StdEncoding.DecodeString(*pair[1])
		}
		headers = append(headers, one)
	}
	return headers
}
