using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Logwarden.Tests.Formats;

/// <summary>
/// A strict OCSF validator made from the schema's source: known class, required attributes, constraints, no attribute that the class,
/// its objects or its declared profiles do not have, right types, known enum values. <c>unmapped</c> is free.
/// </summary>
sealed class OcsfSchema
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    readonly string _root;
    readonly JsonObject _dictionary;
    readonly JsonObject _types;
    readonly Dictionary<string, JsonObject> _objects = new(StringComparer.Ordinal);
    readonly Dictionary<string, JsonObject> _events = new(StringComparer.Ordinal);
    readonly Dictionary<long, string> _classes = [];
    readonly Dictionary<(string, bool), Dictionary<string, JsonObject>> _attributes = [];
    readonly HashSet<long> _observables = [];

    public OcsfSchema(string root)
    {
        _root = root;
        var dictionary = Load("dictionary.json");
        _dictionary = dictionary["attributes"]!.AsObject();
        _types = dictionary["types"]!["attributes"]!.AsObject();
        var categories = Load("categories.json")["attributes"]!.AsObject();
        Read("objects", _objects);
        Read("events", _events);
        foreach (var (name, type) in _events)
        {
            if (type["uid"] is not { } uid) continue;
            var category = Inherited(type, "category");
            var number = category is null || categories[category] is not { } known ? 0 : (long)known["uid"]!;
            _classes[number * 1000 + (long)uid] = name;
        }
        _classes[0] = "base_event";
        foreach (var (_, value) in _types.Concat(_dictionary)) AddObservable(value);
        foreach (var type in _objects.Values) AddObservable(type);
    }

    /// <summary>Everything that is wrong with an event; empty when it is valid.</summary>
    public List<string> Validate(JsonElement e)
    {
        var errors = new List<string>();
        if (!e.TryGetProperty("class_uid", out var uid) || !uid.TryGetInt64(out var number) || !_classes.TryGetValue(number, out var name))
            return ["class_uid is unknown"];
        var profiles = new HashSet<string>(StringComparer.Ordinal);
        if (e.GetProperty("metadata").TryGetProperty("profiles", out var listed))
        {
            foreach (var profile in listed.EnumerateArray()) profiles.Add(profile.GetString()!);
        }
        Check(e, name, isEvent: true, profiles, name, errors);
        if (e.GetProperty("type_uid").GetInt64() != number * 100 + e.GetProperty("activity_id").GetInt64()) errors.Add("type_uid is wrong");
        if (e.GetProperty("category_uid").GetInt64() != number / 1000) errors.Add("category_uid is wrong");
        return errors;
    }

    void Check(JsonElement value, string type, bool isEvent, HashSet<string> profiles, string path, List<string> errors)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            errors.Add($"{path}: expected an object");
            return;
        }
        var attributes = Attributes(type, isEvent);
        foreach (var property in value.EnumerateObject())
        {
            var at = path + "." + property.Name;
            if (!attributes.TryGetValue(property.Name, out var attribute)) errors.Add($"{at}: unknown attribute");
            else if (Text(attribute, "profile") is { } profile && !profiles.Contains(profile)) errors.Add($"{at}: needs profile {profile}");
            else Check(property.Name, property.Value, attribute, profiles, at, errors);
        }
        foreach (var (name, attribute) in attributes)
        {
            var isRequired = Text(attribute, "requirement") is "required"
                && (Text(attribute, "profile") is not { } profile || profiles.Contains(profile));
            if (isRequired && !value.TryGetProperty(name, out _)) errors.Add($"{path}.{name}: required");
        }
        var constraints = (isEvent ? _events : _objects)[type]["constraints"] ?? (isEvent ? null : InheritedConstraints(type));
        if (constraints?["at_least_one"] is JsonArray some && !some.Any(name => value.TryGetProperty((string)name!, out _)))
            errors.Add($"{path}: needs one of {some.ToJsonString()}");
        if (constraints?["just_one"] is JsonArray one && one.Count(name => value.TryGetProperty((string)name!, out _)) != 1)
            errors.Add($"{path}: needs just one of {one.ToJsonString()}");
    }

    void Check(string name, JsonElement value, JsonObject attribute, HashSet<string> profiles, string at, List<string> errors)
    {
        if (name is "unmapped") return;
        var common = _dictionary[name]?.AsObject();
        var type = Text(attribute, "type") ?? Text(common, "type");
        if (type is null)
        {
            errors.Add($"{at}: no type");
            return;
        }
        if ((bool?)(attribute["is_array"] ?? common?["is_array"]) == true)
        {
            if (value.ValueKind == JsonValueKind.Array)
            {
                foreach (var element in value.EnumerateArray()) One(name, element, type, attribute, profiles, at, errors);
                return;
            }
            errors.Add($"{at}: expected an array");
            return;
        }
        One(name, value, type, attribute, profiles, at, errors);
    }

    void One(string name, JsonElement value, string type, JsonObject attribute, HashSet<string> profiles, string at, List<string> errors)
    {
        if (!_types.ContainsKey(type))
        {
            Check(value, type, isEvent: false, profiles, at, errors);
            return;
        }
        var primitive = Text(_types[type]!.AsObject(), "type") ?? type;
        var isRight = primitive switch
        {
            "string_t" => value.ValueKind == JsonValueKind.String,
            "integer_t" or "long_t" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
            "boolean_t" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
            "float_t" => value.ValueKind == JsonValueKind.Number,
            _ => true,
        };
        if (!isRight)
        {
            errors.Add($"{at}: expected {type}, is {value.ValueKind}");
            return;
        }
        // Zeros in front of the numbers of an address come from masking; they are let through here as they are by us.
        if (Text(_types[type]!.AsObject(), "regex") is { } pattern && primitive is "string_t")
        {
            var text = type is "ip_t" ? Regex.Replace(value.GetString()!, @"(?<=^|\.)0+(?=\d)", "", RegexOptions.None, Patience) : value.GetString()!;
            if (!Regex.IsMatch(text, pattern, RegexOptions.None, Patience)) errors.Add($"{at}: not a {type}: {text}");
        }
        // The numbers of classes are checked against the class itself.
        if (primitive is not ("integer_t" or "long_t") || name is "class_uid" or "category_uid" or "type_uid") return;
        var number = value.GetInt64();
        var known = Enum(attribute).Concat(Enum(_dictionary[name]?.AsObject())).ToHashSet(StringComparer.Ordinal);
        if (at.Contains("observables", StringComparison.Ordinal) && name is "type_id" && _observables.Contains(number)) return;
        if (known.Count > 0 && !known.Contains(number.ToString(System.Globalization.CultureInfo.InvariantCulture)))
            errors.Add($"{at}: {number} is not one of its values");
    }

    static IEnumerable<string> Enum(JsonObject? attribute) => attribute?["enum"] is JsonObject values ? values.Select(value => value.Key) : [];

    JsonNode? InheritedConstraints(string type) =>
        Text(_objects[type], "extends") is { } parent && _objects.TryGetValue(parent, out var above)
            ? above["constraints"] ?? InheritedConstraints(parent)
            : null;

    string? Inherited(JsonObject type, string key) =>
        Text(type, key) ?? (Text(type, "extends") is { } parent && _events.TryGetValue(parent, out var above) ? Inherited(above, key) : null);

    Dictionary<string, JsonObject> Attributes(string type, bool isEvent)
    {
        if (_attributes.TryGetValue((type, isEvent), out var done)) return done;
        var definition = (isEvent ? _events : _objects)[type];
        var all = Text(definition, "extends") is { } parent && (isEvent ? _events : _objects).ContainsKey(parent) && !string.Equals(parent, type, StringComparison.Ordinal)
            ? Attributes(parent, isEvent).ToDictionary(pair => pair.Key, pair => pair.Value.DeepClone().AsObject(), StringComparer.Ordinal)
            : new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        if (definition["attributes"] is JsonObject own) Merge(all, own, profile: null);
        return _attributes[(type, isEvent)] = all;
    }

    void Merge(Dictionary<string, JsonObject> all, JsonObject attributes, string? profile)
    {
        if (attributes["$include"] is JsonArray includes)
        {
            foreach (var include in includes)
            {
                var file = Load((string)include!);
                Merge(all, file["attributes"]!.AsObject(), Text(file, "meta") is "profile" ? Text(file, "name") : profile);
            }
        }
        foreach (var (name, attribute) in attributes)
        {
            if (name is "$include" || attribute is not JsonObject values) continue;
            if (!all.TryGetValue(name, out var merged)) all[name] = merged = [];
            if (profile is not null) merged["profile"] = profile;
            foreach (var (key, value) in values) merged[key] = key is "enum" && merged["enum"] is JsonObject old ? Union(old, value!.AsObject()) : value?.DeepClone();
        }
    }

    static JsonObject Union(JsonObject first, JsonObject second)
    {
        var both = first.DeepClone().AsObject();
        foreach (var (key, value) in second) both[key] = value?.DeepClone();
        return both;
    }

    void AddObservable(JsonNode? value)
    {
        if (value?["observable"] is { } number) _observables.Add((long)number);
    }

    void Read(string folder, Dictionary<string, JsonObject> into)
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(_root, folder), "*.json", SearchOption.AllDirectories))
        {
            var type = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
            if (Text(type, "name") is { } name) into[name] = type;
        }
    }

    JsonObject Load(string path) => JsonNode.Parse(File.ReadAllText(Path.Combine(_root, path)))!.AsObject();

    static string? Text(JsonObject? from, string key) => from?[key] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
