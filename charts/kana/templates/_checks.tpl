{{/* Which values are each right and make no sense together? All of them are told at once. */}}
{{- define "kana.check" -}}
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
{{- if and .Values.ingress.tls.secretName (not .Values.ingress.host) -}}
{{- $wrong = append $wrong "ingress.tls.secretName is given without ingress.host: a certificate is for a name" -}}
{{- end -}}
{{- if and .Values.ingress.tls.secretName (not .Values.ingress.enabled) -}}
{{- $wrong = append $wrong "ingress.tls.secretName is given while ingress.enabled=false" -}}
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
{{- if has .name (list "KANA_QUEUE" "KANA_LISTEN" "KANA_NAME" "KANA_TOKENS" "KANA_INSECURE" "KANA_CLUSTER" "KANA_NAMESPACE" "KANA_RELEASE" "KANA_WORKERS" "KANA_SCALED_BY" "KANA_SCALER" "KANA_RANGE_RECORD") -}}
{{- $wrong = append $wrong (printf "%s.extraEnv sets %s, which the chart sets itself" $role .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "\n\n%s\n" ($wrong | join "\n")) -}}
{{- end -}}
{{- end -}}
