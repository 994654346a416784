{{/* Which values are each right and make no sense together? All of them are named at once. */}}
{{- define "kana.check" -}}
{{- include "kana.values" . -}}
{{- $wrong := list -}}
{{- $scaling := .Values.autoscaling -}}
{{- $external := .Values.redis.external -}}
{{- $redis := include "kana.redisParts" . | fromJson -}}
{{- if gt (int $scaling.min) (int $scaling.max) -}}
{{- $wrong = append $wrong (printf "autoscaling.min is %d, more than autoscaling.max, which is %d" (int $scaling.min) (int $scaling.max)) -}}
{{- end -}}
{{- if and (eq (int $scaling.min) 0) (eq $scaling.mode "hpa") -}}
{{- $wrong = append $wrong "autoscaling.min is 0, which only autoscaling.mode=keda can reach, not hpa" -}}
{{- end -}}
{{- if and (eq $scaling.mode "keda") (lookup "autoscaling/v2" "HorizontalPodAutoscaler" .Release.Namespace (printf "%s-worker" (include "kana.full" .))) -}}
{{- $wrong = append $wrong "there still is a HorizontalPodAutoscaler, and KEDA takes no Deployment that has one: upgrade with autoscaling.mode=none first" -}}
{{- end -}}
{{- if and .Values.auth.existingSecret (not .Values.auth.enabled) -}}
{{- $wrong = append $wrong "auth.existingSecret names tokens, and auth.enabled=false asks for none" -}}
{{- end -}}
{{- if and $external.url .Values.redis.existingSecret -}}
{{- $wrong = append $wrong "redis.existingSecret is the built-in Redis's password, and redis.external.url installs none: use redis.external.existingSecret" -}}
{{- end -}}
{{- if and $external.existingSecret (not $external.url) -}}
{{- $wrong = append $wrong "redis.external.existingSecret is given without redis.external.url: say where the server is, without a password" -}}
{{- end -}}
{{- if and $external.existingSecret $redis.password -}}
{{- $wrong = append $wrong "redis.external.url holds a password although redis.external.existingSecret holds the whole URL: leave the password out" -}}
{{- end -}}
{{- if and $external.caSecret (not $redis.tls) -}}
{{- $wrong = append $wrong "redis.external.caSecret is given, and redis.external.url asks for no TLS: write rediss://" -}}
{{- end -}}
{{- if and $external.caSecret (regexMatch "(^|&)ca=" $redis.query) -}}
{{- $wrong = append $wrong "redis.external.url has a ca= of its own beside redis.external.caSecret" -}}
{{- end -}}
{{- if and (eq $scaling.mode "keda") (contains "%" $redis.password) -}}
{{- $wrong = append $wrong "the password in redis.external.url is %-escaped, and KEDA needs it as it is: use redis.external.existingSecret" -}}
{{- end -}}
{{- $hosts := (include "kana.hosts" . | fromJson).hosts -}}
{{- if and .Values.ingress.tls.secretName (not $hosts) -}}
{{- $wrong = append $wrong "ingress.tls.secretName is given without ingress.host: a certificate is for a name" -}}
{{- end -}}
{{- range .Values.ingress.tls.secrets -}}
{{- $secret := .secretName -}}
{{- range .hosts -}}
{{- if not (has . $hosts) -}}
{{- $wrong = append $wrong (printf "ingress.tls.secrets: %s is for %s, which is none of ingress.hosts" $secret .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (or .Values.ingress.tls.secretName .Values.ingress.tls.secrets) (not .Values.ingress.enabled) -}}
{{- $wrong = append $wrong "ingress.tls names a Secret while ingress.enabled=false" -}}
{{- end -}}
{{- with include "kana.memoryMissing" . -}}
{{- $wrong = append $wrong . -}}
{{- end -}}
{{- if gt (int .Values.gateway.limits.connectionsPerClient) (int .Values.gateway.limits.connections) -}}
{{- $wrong = append $wrong (printf "gateway.limits.connectionsPerClient is %d, more than gateway.limits.connections, which is %d" (int .Values.gateway.limits.connectionsPerClient) (int .Values.gateway.limits.connections)) -}}
{{- end -}}
{{- $gateways := .Values.gateway.autoscaling -}}
{{- if gt (int $gateways.min) (int $gateways.max) -}}
{{- $wrong = append $wrong (printf "gateway.autoscaling.min is %d, more than gateway.autoscaling.max, which is %d" (int $gateways.min) (int $gateways.max)) -}}
{{- end -}}
{{- if and .Values.monitoring.rules.enabled (not .Values.monitoring.serviceMonitor.enabled) -}}
{{- $wrong = append $wrong "monitoring.rules.enabled without monitoring.serviceMonitor.enabled: no gateway would be asked for the series that the alerts are about" -}}
{{- end -}}
{{- if and .Values.redis.exporter.enabled .Values.redis.external.url -}}
{{- $wrong = append $wrong "redis.exporter.enabled, and redis.external.url installs no Redis that it could stand beside" -}}
{{- end -}}
{{- range $label, $_ := .Values.commonLabels -}}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (hasPrefix "helm.sh/" $label) -}}
{{- $wrong = append $wrong (printf "commonLabels sets %s, which the chart sets itself" $label) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.httpRoute.enabled (not .Values.ingress.httpRoute.parentRefs) -}}
{{- $wrong = append $wrong "ingress.httpRoute.enabled without ingress.httpRoute.parentRefs: a route belongs to a Gateway" -}}
{{- end -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- $wrong = append $wrong (printf "service.nodePort is %d, and service.type=ClusterIP has none" (int .Values.service.nodePort)) -}}
{{- end -}}
{{- if and .Values.service.loadBalancerSourceRanges (ne .Values.service.type "LoadBalancer") -}}
{{- $wrong = append $wrong (printf "service.loadBalancerSourceRanges is given, and service.type is %s" .Values.service.type) -}}
{{- end -}}
{{- range $role := list "gateway" "worker" "redis" -}}
{{- range $label, $_ := (index $.Values $role).podLabels -}}
{{- if hasPrefix "app.kubernetes.io/" $label -}}
{{- $wrong = append $wrong (printf "%s.podLabels sets %s, by which the chart finds its pods" $role $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $role := list "gateway" "worker" -}}
{{- range (index $.Values $role).extraEnv -}}
{{- if has .name (list "KANA_QUEUE" "KANA_LISTEN" "KANA_NAME" "KANA_TOKENS" "KANA_INSECURE" "KANA_CLUSTER" "KANA_NAMESPACE" "KANA_RELEASE" "KANA_WORKERS" "KANA_SCALED_BY" "KANA_SCALER" "KANA_RANGE_RECORD" "KANA_HEALTH_LISTEN" "KANA_BODY_MEMORY" "KANA_DECODE_MEMORY" "KANA_CONNECTIONS_MAX" "KANA_CONNECTIONS_PER_CLIENT" "KANA_FINISH_MAX" "KANA_ALLOWED_HOST" "KANA_RATE_LIMIT" "KANA_REJECT_BLANK") -}}
{{- $wrong = append $wrong (printf "%s.extraEnv sets %s, which the chart sets itself" $role .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "\n\n%s\n" ($wrong | join "\n")) -}}
{{- end -}}
{{- end -}}

{{/* "kana.bytes" "96Mi": a quantity of Kubernetes as bytes. */}}
{{- define "kana.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $text := toString . -}}
{{- if regexMatch "^[0-9.]+m$" $text -}}
{{- divf (trimSuffix "m" $text | float64) 1000 | int64 -}}
{{- else if regexMatch "^[0-9.]+e\\+?[0-9]+$" $text -}}
{{- float64 $text | int64 -}}
{{- else -}}
{{- mulf (regexFind "^[0-9.]+" $text | float64) (get $units (regexReplaceAll "^[0-9.]+" $text "")) | int64 -}}
{{- end -}}
{{- end -}}

{{/* What is wrong where a gateway may need more memory than its pod gets; empty where it is enough, or unlimited. The
arithmetic is the gateway's own: 112 MiB for itself, and 64 KiB a connection. */}}
{{- define "kana.memoryMissing" -}}
{{- $limits := .Values.gateway.limits -}}
{{- $given := get (.Values.gateway.resources.limits | default dict) "memory" -}}
{{- if $given -}}
{{- $bodies := include "kana.bytes" $limits.bodyMemory | int64 -}}
{{- $pictures := include "kana.bytes" $limits.decodeMemory | int64 -}}
{{- $needed := add 117440512 $bodies $pictures (mul 65536 (int64 $limits.connections)) -}}
{{- $missing := sub $needed (include "kana.bytes" $given | int64) -}}
{{- if gt $missing 0 -}}
{{- printf "gateway.resources.limits.memory is %v, %dMi less than gateway.limits add up to (112Mi + %s + %s + %d × 64Ki = %dMi)" $given (div (add $missing 1048575) 1048576) $limits.bodyMemory $limits.decodeMemory (int $limits.connections) (div (add $needed 1048575) 1048576) -}}
{{- end -}}
{{- end -}}
{{- end -}}
