# HL7's official examples, which the validator is tried on. Sourced, not run.

FHIR_EXAMPLES=(
    "4.0 hl7.fhir.r4.examples@4.0.1 dce87f1b5b9341867033f7d1f544fa1b5232503f6d62813887ac6b8a8b6cb682"
    "4.3 hl7.fhir.r4b.examples@4.3.0 82cb78e05077f57ff416eb044831bad7de9fca602c0cea8ce5ef672b604344de"
    "5.0 hl7.fhir.r5.examples@5.0.0 00106d2479ba1d73a1168543472b730744c157d9c427a686c88c32559afb09e5"
)

# Sets CAREGRID_FHIR_EXAMPLES to a folder with one folder of JSON files for each FHIR version.
ensure_fhir_examples() {
    local wanted
    wanted=$(printf '%s\n' "${FHIR_EXAMPLES[@]}" | sha256sum | cut -c1-16)
    export CAREGRID_FHIR_EXAMPLES=$CACHE/fhir-examples-$wanted
    [ -f "$CAREGRID_FHIR_EXAMPLES/.complete" ] && return
    command -v npm >/dev/null || need_packages nodejs npm
    say "fetching HL7's examples (40 MB, once)"
    rm -rf "$CAREGRID_FHIR_EXAMPLES"
    local line
    for line in "${FHIR_EXAMPLES[@]}"; do
        # shellcheck disable=SC2086 # three words
        fetch_examples $line
    done
    touch "$CAREGRID_FHIR_EXAMPLES/.complete"
}

# fetch_examples VERSION PACKAGE SHA256
fetch_examples() {
    local folder=$CAREGRID_FHIR_EXAMPLES/$1 archive
    mkdir -p "$folder"
    logged "examples-$1" npm pack --silent --pack-destination "$folder" "$2"
    archive=$(echo "$folder"/*.tgz)
    echo "$3  $archive" | sha256sum --check --quiet || fail "$2 is not the pinned one"
    tar -xzf "$archive" -C "$folder" --strip-components=1
    rm "$archive"
}
