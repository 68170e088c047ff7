// Package redis has the signatures of go-redis that the page for readers uses, and does nothing.
package redis

import (
	"context"
	"errors"
	"time"
)

var Nil = errors.New("redis: nil")

type Options struct {
	Addr                     string
	DialTimeout, ReadTimeout time.Duration
	MaxRetries               int
}

type Client struct{}

func NewClient(*Options) *Client { return nil }

func (*Client) Pipeline() Pipeliner { return nil }

type Cmder interface{ Err() error }

type Pipeliner interface {
	Get(ctx context.Context, key string) *StringCmd
	HGet(ctx context.Context, key, field string) *StringCmd
	Exec(ctx context.Context) ([]Cmder, error)
}

type StringCmd struct{}

func (*StringCmd) Bytes() ([]byte, error) { return nil, nil }
