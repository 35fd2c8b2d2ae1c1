// How a surface looks: light from the sky, the sun and the ground, and the sky mirrored in what is glossy.
// Everything is in the camera's coordinates; colours are linear; what is written is the square root of half of it.
  vec4 skin = texture(actortexture, tcoordVCVSOutput);
  vec3 own = skin.rgb * skin.rgb;
  float gloss = skin.a;
  vec3 N = normalize(normalVCVSOutput);
  vec3 V = normalize(-vertexVC.xyz);
  float height = dot(up, vertexVC.xyz) + groundHeight;
  float level = dot(N, up);
  if (height < 0.06 && level > 0.9) { gloss = max(gloss, 0.55 * wet); own *= 1.0 - 0.45 * wet; }
  // what a street hides of the sky close to the ground
  float open = mix(0.45, 1.0, smoothstep(0.0, 1.0, height + 0.6 * max(level, 0.0) + (level > 0.9 ? 1.0 : 0.0)));
  vec3 ambient = mix(groundLight, skyLight, 0.5 + 0.5 * level) * open;
  float edge = dot(shadowEdge.xyz, vertexVC.xyz) + shadowEdge.w;
  float lit = smoothstep(-0.08, 0.08, edge);
  float facing = max(dot(N, sunTowards), 0.0);
  vec3 R = reflect(-V, N);
  float rise = dot(R, up);
  // houses stand before the horizon; above them the sky, below them the street
  float skyline = 0.16 + 0.09 * sin(5.0 * R.x + 2.0 * R.z);
  vec3 above = mix(horizonLight, skyLight, smoothstep(0.1, 0.75, rise));
  vec3 houses = 0.32 * horizonLight + 0.12 * groundLight;
  vec3 mirrored = mix(houses, above, smoothstep(skyline - 0.05, skyline + 0.05, rise));
  mirrored = mix(0.8 * groundLight, mirrored, smoothstep(-0.06, 0.02, rise));
  float away = 1.0 - max(dot(N, V), 0.0);
  float fresnel = 0.04 + 0.96 * away * away * away * away * away;
  float mirror = gloss * gloss * mix(0.5, 1.0, gloss) * fresnel * 1.6;
  float glare = exp2(mix(17.0, 320.0, gloss) * (dot(R, sunTowards) - 1.0)) * gloss * mix(0.25, 2.2, gloss * gloss) * lit;
  vec3 seen = own * (ambient + sunLight * facing * lit) * (1.0 - 0.6 * mirror) + mirrored * mirror * open + sunLight * glare;
  float through = exp2(-1.44 * haze * length(vertexVC.xyz));
  seen = mix(horizonLight * 0.9, seen, through);
  fragOutput0 = vec4(sqrt(clamp(seen * 0.5, 0.0, 1.0)), 1.0);
