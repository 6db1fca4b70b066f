# roomsync setup powershell app
#
# Registers roomsync in Microsoft Entra, or completes the registration that is there: the permission on Exchange Online,
# the enterprise application, the consent, and with -CertificateFile a certificate to sign in with.
#
# It changes: one app registration and its enterprise application. Permissions and certificates that it finds stay.
# It needs:   Install-Module Microsoft.Graph; the role Cloud Application Administrator for the registration, and
#             Privileged Role Administrator for the consent to an application permission.
#
# The same by hand, at https://entra.microsoft.com (with the words of the German portal):
#   1. App registrations > New registration (App-Registrierungen > Neue Registrierung), accounts of this directory only.
#      Overview shows the application (client) id and the directory (tenant) id: --app-id and --tenant-id.
#   2. API permissions > Add a permission > APIs my organization uses > Office 365 Exchange Online (API-Berechtigungen):
#      Application permissions > full_access_as_app; for --auth delegated instead: Delegated permissions > EWS.AccessAsUser.All.
#   3. Grant admin consent (Administratorzustimmung erteilen).
#   4. Certificates & secrets (Zertifikate und Geheimnisse) > Certificates > Upload: the .cer file, never the private key.
#      A client secret works too, but it travels and it expires: prefer a certificate. This script makes no secret, so
#      that none stands in a transcript; make it there and put its Value, not its ID, into the --client-secret-file.
#      For --auth federated: Federated credentials.
#   5. For --auth delegated only: Authentication > Allow public client flows > Yes (Authentifizierung).
#
# full_access_as_app opens every mailbox of the organization until one of the topics rbac and access-policy limits it.
# With rbac the app needs no permission here at all: use -WithoutGrant.

#requires: graph
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only says what it would do.
    [switch]$Apply,
    # The public certificate (.cer) to sign in with.
    [string]$CertificateFile,
    # Grant nothing for all mailboxes; the topic rbac grants single ones.
    [switch]$WithoutGrant,
    # For --auth federated: the issuer and the subject of the tokens that the workers get elsewhere.
    [string]$Issuer,
    [string]$Subject
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: TenantId AppId AppName SignIn ServiceUser CertificateThumbprint

# Microsoft's ids: Office 365 Exchange Online, and its permissions full_access_as_app and EWS.AccessAsUser.All.
$ExchangeAppId = '00000002-0000-0ff1-ce00-000000000000'
$FullAccessAsApp = 'dc890d15-9560-4a4c-9b7f-a736ec74ec40'
$AccessAsUser = '3b5f3d61-589b-4a3c-a359-5dd4b5ee5bd5'

#part: step
#part: filter
#part: graph

function Find-App {
    if ($AppId) {
        $found = @(Get-MgApplication -Filter "appId eq '$AppId'" -ErrorAction Stop)
        if ($found.Count -eq 0) {
            throw "There is no app registration with the id $AppId in this tenant."
        }
    }
    else {
        $found = @(Get-MgApplication -Filter ("displayName eq '" + (ConvertTo-FilterText $AppName) + "'") -ErrorAction Stop)
        if ($found.Count -gt 1) {
            throw "There are $($found.Count) app registrations with the name '$AppName': name one by --app-id."
        }
    }
    if ($found.Count -eq 1) {
        $found[0]
    }
}

function Find-ServicePrincipal {
    param([string]$Id)

    Get-MgServicePrincipal -Filter "appId eq '$Id'" -ErrorAction Stop | Select-Object -First 1
}

# Wait-Entra waits until something new can be seen, which takes a few seconds.
function Wait-Entra {
    param([scriptblock]$Look)

    for ($try = 0; $try -lt 20 -and $null -eq (& $Look); $try++) {
        Start-Sleep -Seconds 3
    }
}

# Update-Permission adds the permission to those that the registration asks for.
function Update-Permission {
    param($App, [string]$Id, [string]$Type, [string]$Name)

    $others = @()
    $ours = @()
    foreach ($resource in @($App.RequiredResourceAccess | Where-Object { $null -ne $_ })) {
        $list = @(foreach ($access in @($resource.ResourceAccess | Where-Object { $null -ne $_ })) { @{ Id = $access.Id; Type = $access.Type } })
        if ($resource.ResourceAppId -eq $ExchangeAppId) {
            $ours += $list
        }
        else {
            $others += @{ ResourceAppId = $resource.ResourceAppId; ResourceAccess = $list }
        }
    }
    if (@($ours | Where-Object { $_.Id -eq $Id -and $_.Type -eq $Type }).Count -gt 0) {
        Write-Fine $App.DisplayName "asks for $Name"
        return
    }
    $ours += @{ Id = $Id; Type = $Type }
    Invoke-Step $App.DisplayName "ask for $Name" {
        Update-MgApplication -ApplicationId $App.Id -RequiredResourceAccess @($others + @{ ResourceAppId = $ExchangeAppId; ResourceAccess = $ours }) -ErrorAction Stop
    }
}

function Grant-ApplicationPermission {
    param($ServicePrincipal, $Exchange)

    $there = @(Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $ServicePrincipal.Id -All -ErrorAction Stop |
            Where-Object { $_.ResourceId -eq $Exchange.Id -and $_.AppRoleId -eq $FullAccessAsApp })
    if ($there.Count -gt 0) {
        Write-Fine $ServicePrincipal.DisplayName 'full_access_as_app is granted'
        return
    }
    Invoke-Step $ServicePrincipal.DisplayName 'grant full_access_as_app (all mailboxes)' {
        New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $ServicePrincipal.Id -PrincipalId $ServicePrincipal.Id -ResourceId $Exchange.Id -AppRoleId $FullAccessAsApp -ErrorAction Stop
    }
}

# Grant-DelegatedPermission consents for the service user only, not for everybody.
function Grant-DelegatedPermission {
    param($ServicePrincipal, $Exchange)

    $user = Get-MgUser -UserId $ServiceUser -ErrorAction Stop
    $grants = @(Get-MgOauth2PermissionGrant -Filter "clientId eq '$($ServicePrincipal.Id)' and resourceId eq '$($Exchange.Id)'" -All -ErrorAction Stop |
            Where-Object { $_.ConsentType -eq 'AllPrincipals' -or $_.PrincipalId -eq $user.Id })
    if (@($grants | Where-Object { @($_.Scope -split ' ') -contains 'EWS.AccessAsUser.All' }).Count -gt 0) {
        Write-Fine $ServiceUser 'EWS.AccessAsUser.All is granted'
        return
    }
    $own = @($grants | Where-Object { $_.ConsentType -eq 'Principal' })
    Invoke-Step $ServiceUser 'grant EWS.AccessAsUser.All' {
        if ($own.Count -gt 0) {
            Update-MgOauth2PermissionGrant -OAuth2PermissionGrantId $own[0].Id -Scope ("$($own[0].Scope) EWS.AccessAsUser.All".Trim()) -ErrorAction Stop
        }
        else {
            New-MgOauth2PermissionGrant -ClientId $ServicePrincipal.Id -ConsentType 'Principal' -PrincipalId $user.Id -ResourceId $Exchange.Id -Scope 'EWS.AccessAsUser.All' -ErrorAction Stop
        }
    }
}

# Get-Certificates returns the registration's certificates with their keys, which Graph gives only when asked so.
function Get-Certificates {
    param($App)

    @((Get-MgApplication -ApplicationId $App.Id -Property @('id', 'keyCredentials') -ErrorAction Stop).KeyCredentials | Where-Object { $null -ne $_ })
}

function Get-Thumbprints {
    param($Certificates)

    foreach ($entry in @($Certificates)) {
        if ($null -ne $entry.Key) {
            (New-Object -TypeName System.Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList @(, $entry.Key)).Thumbprint
        }
    }
}

# Update-Certificate uploads the public certificate. Graph replaces the whole list, so those that are there go with it.
function Update-Certificate {
    param($App)

    $file = (Resolve-Path -LiteralPath $CertificateFile).ProviderPath
    $certificate = New-Object -TypeName System.Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList $file
    if ($certificate.HasPrivateKey) {
        throw "$file holds a private key: export the public certificate (.cer) and upload that."
    }
    if ($CertificateThumbprint -and $certificate.Thumbprint -ne $CertificateThumbprint) {
        throw "$file has the thumbprint $($certificate.Thumbprint), but roomsync is configured for $CertificateThumbprint."
    }
    $before = @(Get-Certificates $App)
    if (@(Get-Thumbprints $before) -contains $certificate.Thumbprint) {
        Write-Fine $App.DisplayName "the certificate $($certificate.Thumbprint) is there"
        return
    }
    Invoke-Step $App.DisplayName "add the certificate $($certificate.Thumbprint), valid until $($certificate.NotAfter.ToString('yyyy-MM-dd'))" {
        $new = @{ Type = 'AsymmetricX509Cert'; Usage = 'Verify'; Key = $certificate.RawData; DisplayName = $certificate.Subject }
        Update-MgApplication -ApplicationId $App.Id -KeyCredentials @($before + $new) -ErrorAction Stop
        $after = @(Get-Thumbprints (Get-Certificates $App))
        foreach ($thumbprint in @(Get-Thumbprints $before) + $certificate.Thumbprint) {
            if ($after -notcontains $thumbprint) {
                throw "The certificate $thumbprint is not there after the upload: look at Certificates & secrets now."
            }
        }
    }
}

function Update-Federation {
    param($App)

    if (-not $Issuer -or -not $Subject) {
        Write-Host 'todo:  for the sign-in by federation run the script with -Issuer and -Subject'
        return
    }
    $there = @(Get-MgApplicationFederatedIdentityCredential -ApplicationId $App.Id -All -ErrorAction Stop |
            Where-Object { $_.Issuer -eq $Issuer -and $_.Subject -eq $Subject })
    if ($there.Count -gt 0) {
        Write-Fine $App.DisplayName "tokens of $Subject are accepted"
        return
    }
    Invoke-Step $App.DisplayName "accept tokens of $Subject from $Issuer" {
        New-MgApplicationFederatedIdentityCredential -ApplicationId $App.Id -Name 'roomsync-worker' -Issuer $Issuer -Subject $Subject -Audiences @('api://AzureADTokenExchange') -ErrorAction Stop
    }
}

$delegated = $SignIn -eq 'delegated'
$scopes = @('Application.ReadWrite.All', 'AppRoleAssignment.ReadWrite.All')
if ($delegated) {
    $scopes = @('Application.ReadWrite.All', 'DelegatedPermissionGrant.ReadWrite.All', 'User.Read.All')
}
Start-GraphSession $scopes

$exchange = Find-ServicePrincipal $ExchangeAppId
if ($null -eq $exchange) {
    throw 'This tenant has no Exchange Online.'
}
if (@($exchange.AppRoles | Where-Object { $_.Id -eq $FullAccessAsApp -and $_.Value -eq 'full_access_as_app' }).Count -eq 0) {
    throw 'Exchange Online no longer offers full_access_as_app.'
}

$app = Find-App
if ($null -eq $app) {
    Invoke-Step $AppName 'register the app' {
        $script:app = New-MgApplication -DisplayName $AppName -SignInAudience 'AzureADMyOrg' -IsFallbackPublicClient:$delegated -ErrorAction Stop
        Wait-Entra { Get-MgApplication -ApplicationId $script:app.Id -ErrorAction SilentlyContinue }
    }
    if ($null -eq $app) {
        Write-Host 'Then: the permission, the enterprise application, the consent and the certificate.'
        Complete-Script
        return
    }
}
elseif ($delegated -and -not $app.IsFallbackPublicClient) {
    Invoke-Step $app.DisplayName 'allow public client flows' {
        Update-MgApplication -ApplicationId $app.Id -IsFallbackPublicClient:$true -ErrorAction Stop
    }
}

if ($delegated) {
    Update-Permission $app $AccessAsUser 'Scope' 'EWS.AccessAsUser.All'
}
elseif (-not $WithoutGrant) {
    Update-Permission $app $FullAccessAsApp 'Role' 'full_access_as_app'
}

$principal = Find-ServicePrincipal $app.AppId
if ($null -eq $principal) {
    Invoke-Step $app.DisplayName 'create the enterprise application' {
        $script:principal = New-MgServicePrincipal -AppId $app.AppId -ErrorAction Stop
        Wait-Entra { Get-MgServicePrincipal -ServicePrincipalId $script:principal.Id -ErrorAction SilentlyContinue }
    }
}
if ($null -ne $principal) {
    if ($delegated) {
        Grant-DelegatedPermission $principal $exchange
    }
    elseif (-not $WithoutGrant) {
        Grant-ApplicationPermission $principal $exchange
    }
}
if ($CertificateFile) {
    Update-Certificate $app
}
if ($SignIn -eq 'federated') {
    Update-Federation $app
}
Complete-Script

Write-Host ''
Write-Host "--tenant-id            $((Get-MgContext).TenantId)"
Write-Host "--app-id               $($app.AppId)"
if ($null -ne $principal) {
    Write-Host "--service-principal-id $($principal.Id)   (for the topic rbac)"
}
