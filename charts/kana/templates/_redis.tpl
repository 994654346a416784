{{/* Which Redis, with which password, and how do programs get it? */}}

{{/* The parts of the URL as JSON: host, port, database, tls, user, password, prefix. */}}
{{- define "kana.redisParts" -}}
{{- $url := .Values.redis.external.url -}}
{{- if $url -}}
{{- $parsed := urlParse $url -}}
{{- $address := $parsed.host -}}
{{- $port := "6379" -}}
{{- if regexMatch ":[0-9]+$" $address -}}
{{- $port = regexFind "[0-9]+$" $address -}}
{{- $address = regexReplaceAll ":[0-9]+$" $address "" -}}
{{- end -}}
{{- $user := $parsed.userinfo | default "" -}}
{{- $password := "" -}}
{{- if contains ":" $user -}}
{{- $password = regexReplaceAll "^[^:]*:" $user "" -}}
{{- $user = regexReplaceAll ":.*$" $user "" -}}
{{- end -}}
{{- $prefix := regexFind "(^|&)prefix=[^&]*" $parsed.query | trimPrefix "&" | trimPrefix "prefix=" -}}
{{- dict "host" $address "port" $port "database" ($parsed.path | trimPrefix "/" | default "0") "tls" (eq $parsed.scheme "rediss") "user" $user "password" $password "prefix" ($prefix | default "kana") "query" $parsed.query | toJson -}}
{{- else -}}
{{- dict "host" (printf "%s-redis" (include "kana.full" .)) "port" "6379" "database" "0" "tls" false "user" "" "password" "" "prefix" "kana" "query" "" | toJson -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the password, or with the whole URL; empty where there is none. */}}
{{- define "kana.redisSecret" -}}
{{- $redis := .Values.redis -}}
{{- if not $redis.external.url -}}
{{- $redis.existingSecret | default (printf "%s-redis" (include "kana.full" .)) -}}
{{- else if $redis.external.existingSecret -}}
{{- $redis.external.existingSecret -}}
{{- else if (include "kana.redisParts" . | fromJson).password -}}
{{- printf "%s-redis" (include "kana.full" .) -}}
{{- end -}}
{{- end -}}

{{/* An external URL with the mounted authority. */}}
{{- define "kana.redisUrl" -}}
{{- $url := .Values.redis.external.url -}}
{{- if .Values.redis.external.caSecret -}}
{{- printf "%s%sca=/etc/kana/redis-ca/ca.crt" $url (ternary "&" "?" (contains "?" $url)) -}}
{{- else -}}
{{- $url -}}
{{- end -}}
{{- end -}}

{{/* KANA_QUEUE, from a Secret wherever it holds a password. */}}
{{- define "kana.queueEnv" -}}
{{- $secret := include "kana.redisSecret" . -}}
{{- if not .Values.redis.external.url -}}
- name: KANA_REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: password
- name: KANA_QUEUE
  value: redis://:$(KANA_REDIS_PASSWORD)@{{ include "kana.full" . }}-redis:6379/0
{{- else if $secret -}}
- name: KANA_QUEUE
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: url
{{- else -}}
- name: KANA_QUEUE
  value: {{ include "kana.redisUrl" . | quote }}
{{- end -}}
{{- end -}}

{{/* The built-in one's configuration. */}}
{{- define "kana.redisConfig" -}}
# Everybody who knows the password may come; the network policy says who can.
bind * -::*
port 6379
protected-mode no
tcp-keepalive 60
dir /data
# Every write is in the log; there is no second copy of it.
appendonly yes
appendfsync {{ .Values.redis.appendfsync }}
aof-use-rdb-preamble yes
save ""
# Full means refused. Nothing that was accepted is thrown away to make room.
maxmemory {{ .Values.redis.maxmemory }}
maxmemory-policy noeviction
{{- end -}}
