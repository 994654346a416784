{{/* What does the gateway know of its cluster and its names, how much may it hold, and what is mounted into it? */}}

{{- define "kana.controlEnv" -}}
{{- if .Values.gateway.control.enabled -}}
{{- $workers := printf "%s-worker" (include "kana.full" .) -}}
- name: KANA_CLUSTER
  value: kubernetes
- name: KANA_NAMESPACE
  value: {{ .Release.Namespace }}
- name: KANA_RELEASE
  value: {{ .Release.Name | quote }}
- name: KANA_WORKERS
  value: {{ $workers }}
- name: KANA_SCALED_BY
  value: {{ .Values.autoscaling.mode }}
{{- if ne .Values.autoscaling.mode "none" }}
- name: KANA_SCALER
  value: {{ $workers }}
{{- end }}
{{- if include "kana.keepsRange" . }}
- name: KANA_RANGE_RECORD
  value: {{ include "kana.rangeConfig" . }}
{{- end }}
{{- else -}}
- name: KANA_CLUSTER
  value: none
{{- end -}}
{{- end -}}

{{- define "kana.limitsEnv" -}}
{{- $gateway := .Values.gateway -}}
{{- $limits := $gateway.limits -}}
- name: KANA_BODY_MEMORY
  value: {{ $limits.bodyMemory }}
- name: KANA_DECODE_MEMORY
  value: {{ $limits.decodeMemory }}
- name: KANA_CONNECTIONS_MAX
  value: {{ $limits.connections | int64 | quote }}
- name: KANA_CONNECTIONS_PER_CLIENT
  value: {{ $limits.connectionsPerClient | int64 | quote }}
- name: KANA_FINISH_MAX
  value: {{ $gateway.finishSeconds }}s
- name: KANA_ALLOWED_HOST
  value: {{ include "kana.allowedHosts" . | quote }}
{{- with $gateway.rateLimit }}
- name: KANA_RATE_LIMIT
  value: {{ . | quote }}
{{- end }}
{{- if $gateway.rejectBlank }}
- name: KANA_REJECT_BLANK
  value: "true"
{{- end }}
{{- end -}}

{{/* The hosts of Ingress and HTTPRoute, as a list in JSON under "hosts". */}}
{{- define "kana.hosts" -}}
{{- dict "hosts" (prepend .Values.ingress.hosts .Values.ingress.host | compact | uniq) | toJson -}}
{{- end -}}

{{/* Under which names do browsers and programs reach the gateway? With commas; a wildcard is no name. */}}
{{- define "kana.allowedHosts" -}}
{{- $full := include "kana.full" . -}}
{{- $inside := printf "%s.%s" $full .Release.Namespace -}}
{{- $names := list $full $inside (printf "%s.svc" $inside) (printf "%s.svc.cluster.local" $inside) -}}
{{- if or .Values.ingress.enabled .Values.ingress.httpRoute.enabled -}}
{{- range (include "kana.hosts" . | fromJson).hosts -}}
{{- if not (hasPrefix "*" .) -}}{{- $names = append $names . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- concat $names .Values.gateway.allowedHosts | uniq | join "," -}}
{{- end -}}

{{/* Of the Services. */}}
{{- define "kana.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy -}}
ipFamilyPolicy: {{ . }}
{{ end -}}
{{- with .Values.service.ipFamilies -}}
ipFamilies: {{ . | toJson }}
{{- end -}}
{{- end -}}

{{- define "kana.tokensSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-tokens" (include "kana.full" .)) -}}
{{- end -}}

{{- define "kana.gatewayMounts" -}}
{{- if .Values.auth.enabled }}
- name: tokens
  mountPath: /etc/kana/tokens
  readOnly: true
{{- end }}
{{- include "kana.caMount" . }}
{{- end -}}

{{- define "kana.gatewayVolumes" -}}
{{- if .Values.auth.enabled }}
- name: tokens
  secret:
    secretName: {{ include "kana.tokensSecret" . }}
    items:
      - {key: tokens, path: tokens}
{{- end }}
{{- include "kana.caVolume" . }}
{{- end -}}

{{/* The authority of an external Redis; workers have it, too. */}}
{{- define "kana.caMount" -}}
{{- if .Values.redis.external.caSecret }}
- name: redis-ca
  mountPath: /etc/kana/redis-ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "kana.caVolume" -}}
{{- with .Values.redis.external.caSecret }}
- name: redis-ca
  secret:
    secretName: {{ . }}
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end -}}
