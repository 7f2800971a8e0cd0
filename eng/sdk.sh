# Shared by the scripts of this repository: finds the SDK and builds what is out of date. Sourced, not run.
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1

need_sdk() {
  command -v dotnet >/dev/null || {
    echo "error: the .NET 10 SDK is not on PATH. Install it (https://dotnet.microsoft.com/download/dotnet/10.0) and run this again." >&2
    exit 69
  }
  (cd "$here" && dotnet --version >/dev/null 2>&1) || {
    echo "error: .NET SDK 10.0 is needed (see global.json); found: $(dotnet --list-sdks | tr '\n' ' ')" >&2
    exit 69
  }
}

# build_release PROJECT_FOLDER ASSEMBLY: builds when the assembly is missing or older than a source file. One build at a time.
build_release() {
  local name dll
  name=$(basename "$1") dll="$here/artifacts/bin/$(basename "$1")/release/$2.dll"
  if [[ -f $dll ]] && [[ -z $(find "$here/src" "$here/policy" "$here/bench" "$here/samples" "$here"/*.props -newer "$dll" -type f -print -quit 2>/dev/null) ]]; then
    return 0
  fi
  need_sdk
  mkdir -p "$here/artifacts"
  (
    flock 9
    echo "building $name (first use or changed sources) …" >&2
    dotnet build "$here/$1" -c Release -v quiet --nologo -clp:NoSummary >"$here/artifacts/build-$name.log" 2>&1 || {
      cat "$here/artifacts/build-$name.log" >&2
      echo "error: the build failed; the lines above say where." >&2
      exit 70
    }
    touch "$dll"
  ) 9>"$here/artifacts/.build.lock"
}
